import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { Stop } from '../command.ts'
import { projectRoot } from '../wrangler.ts'
import { cpuMs } from './cpu-time.ts'
import { median } from './rounds.ts'

const runs = 9

/** The binary that wrangler runs. */
const { default: workerd } = createRequire(import.meta.resolve('wrangler'))('workerd') as { default: string }

const config = (compatibilityDate: string) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "index.js", esModule = embed "index.js")],
    compatibilityDate = "${compatibilityDate}",
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`

/** The CPU of the start of a script in ms, besides what the runtime needs for an empty one. */
export interface Start {
  name: string
  cpu: number
  least: number
  most: number
}

/**
 * Starts each script in a process of the runtime, which evaluates it before it listens. The scripts take turns. `NaN`
 * on systems that do not tell the CPU of a process.
 */
export async function measureStarts(scripts: readonly { name: string; script: string }[]): Promise<Start[]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-start-'))
  try {
    writeFileSync(join(folder, 'config.capnp'), config(await compatibilityDate()))
    const all = [{ name: '', script: '' }, ...scripts]
    const measured = new Map<string, number[]>(all.map(({ name }) => [name, []]))
    for (let run = 0; run < runs; run++) {
      for (const { name, script } of all) {
        writeFileSync(join(folder, 'index.js'), script)
        measured.get(name)!.push(await startOnce(join(folder, 'config.capnp')))
      }
    }
    const base = median(measured.get('')!)
    return scripts.map(({ name }) => {
      const all = measured.get(name)!.map((cpu) => cpu - base)
      return { name, cpu: median(all), least: Math.min(...all), most: Math.max(...all) }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function compatibilityDate(): Promise<string> {
  const { unstable_readConfig: readConfig } = await import('wrangler')
  return readConfig({ config: join(projectRoot, 'wrangler.toml') }, { hideWarnings: true }).compatibility_date ?? ''
}

async function startOnce(path: string): Promise<number> {
  const child = spawn(workerd, ['serve', path, '--control-fd=3'], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] })
  const ended = Promise.withResolvers<void>()
  child.once('exit', () => ended.resolve())
  try {
    const listening = Promise.withResolvers<void>()
    createInterface(child.stdio[3] as Readable).once('line', () => listening.resolve())
    await Promise.race([listening.promise, ended.promise])
    if (child.exitCode !== null) throw new Stop('The runtime did not start.')
    return cpuMs(child.pid!)
  } finally {
    child.kill('SIGKILL')
    await ended.promise
  }
}
