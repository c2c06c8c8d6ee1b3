import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { Stop } from './command.ts'

/** The repository, which holds wrangler.toml, the migrations and `.dev.vars`. */
export const projectRoot = fileURLToPath(new URL('..', import.meta.url))

export interface Outcome {
  exitCode: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  /** The input of the command. For secrets: arguments would show in the process list. */
  stdin?: string
  /** Prints the output as it arrives, besides collecting it. */
  isShown?: boolean
  signal?: AbortSignal
  env?: Record<string, string>
}

/** Runs one wrangler command and waits for its end. Tests pass a stand-in. */
export type Wrangler = (args: readonly string[], options?: RunOptions) => Promise<Outcome>

/** Runs the project's own wrangler with the Node that runs this: the one on the PATH may be too old. */
export function spawnWrangler(args: readonly string[], options: SpawnOptions): ChildProcess {
  const bin = fileURLToPath(new URL('../node_modules/wrangler/bin/wrangler.js', import.meta.url))
  return spawn(process.execPath, [bin, ...args], {
    cwd: projectRoot,
    ...options,
    env: {
      ...(options.env ?? process.env),
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      FORCE_COLOR: '0',
    },
  })
}

export const runWrangler: Wrangler = (args, { stdin, isShown = false, signal, env } = {}) =>
  new Promise((resolve, reject) => {
    // CI keeps wrangler from asking: our commands ask for confirmation themselves.
    const child = spawnWrangler(args, {
      stdio: 'pipe',
      env: { ...process.env, CI: '1', ...env },
      ...(signal && { signal }),
    })
    const outcome = { exitCode: 1, stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        outcome[name] += text
        if (isShown) process[name].write(text)
      })
    }
    let failure: Error | undefined
    child.on('error', (error) => {
      failure = error
      if (child.pid === undefined) reject(error)
    })
    // Also waits for an aborted command: what it started may still be running.
    child.on('close', (code) => (failure ? reject(failure) : resolve({ ...outcome, exitCode: code ?? 1 })))
    // A command that fails early closes its input. The exit code then says more than the broken pipe.
    child.stdin?.on('error', () => {}).end(stdin ?? '')
  })

/** A command of wrangler that failed, with Cloudflare's own reason. */
export class WranglerFailure extends Stop {
  /** The codes of Cloudflare's errors. */
  readonly codes: readonly number[]

  constructor(message: string, codes: readonly number[]) {
    super(message)
    this.codes = codes
  }
}

/** @throws {WranglerFailure} when the command fails. */
export async function run(wrangler: Wrangler, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await wrangler(args, options)
  if (outcome.exitCode !== 0) throw failed(args, outcome)
  return outcome.stdout
}

/** @param args the command; without its values, where they are long or secret */
export function failed(args: readonly string[], outcome: Pick<Outcome, 'stdout' | 'stderr'>): WranglerFailure {
  const reason = reasonOf(outcome)
  const codes = Array.from(reason.matchAll(/\[code: (\d+)\]/g), ([, code]) => Number(code))
  return new WranglerFailure(`\`wrangler ${args.join(' ')}\` failed: ${reason}`, codes)
}

/**
 * Why a command failed. For a refusal of Cloudflare, wrangler's `[ERROR]` line says only that a request failed, and
 * Cloudflare's reason comes below it.
 */
export function reasonOf({ stdout, stderr }: Pick<Outcome, 'stdout' | 'stderr'>): string {
  const lines = stripVTControlCharacters(`${stderr}\n${stdout}`)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const place = lines.findIndex((line) => line.includes('[ERROR]'))
  if (place < 0) return lines[0] ?? 'no reason given'
  const error = lines[place]!.replace(/^.*\[ERROR\]\s*/, '')
  if (!/^A request to the Cloudflare API .*failed\.?$/.test(error)) return error
  const rest = lines.slice(place + 1)
  const end = rest.findIndex((line) => isAfterReason.test(line))
  const reasons = end < 0 ? rest : rest.slice(0, end)
  return reasons.join(' ') || error
}

/** What wrangler adds below Cloudflare's reason. */
const isAfterReason =
  /^(If you think this is a bug|To learn more|🪵|Logs were written|\W*\[(WARNING|ERROR)\]|Cloudflare agent|--)/u
