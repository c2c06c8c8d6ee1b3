import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { Stop } from '../command.ts'
import { variableNames } from '../cloudflare/wrangler-toml.ts'
import { projectRoot, spawnWrangler } from '../wrangler.ts'
import { optionalSecrets, writeDevConfig } from './dev-config.ts'
import { readDevVars } from './dev-vars.ts'
import { localVariables } from './local-variables.ts'
import type { LocalServer } from './settings.ts'
import { worthShowing } from './worker-output.ts'

/** Long enough for the first start on a slow machine, which builds the pages and bundles the Worker. */
const startDeadlineMs = 120_000
const stopDeadlineMs = 5_000
const keptLines = 40

/** `wrangler dev` as a child process, in a process group of its own. */
export class WranglerDev {
  readonly #child: ChildProcess
  readonly #lastLines: string[] = []
  /** Resolves when wrangler has ended, for whatever reason. */
  readonly ended: Promise<unknown>

  /**
   * @param more additional variables of the Worker.
   * @param script another Worker than that of wrangler.toml, with the same bindings.
   */
  constructor(server: LocalServer, more: Record<string, string> = {}, script?: string) {
    const variables = {
      ...readDevVars(join(projectRoot, '.dev.vars')),
      ...localVariables(server, process.env),
      ...more,
    }
    const config = writeDevConfig(
      server.port,
      optionalSecrets.filter((name) => variables[name]),
    )
    this.#child = spawnWrangler(devArguments(server, config.path, script), {
      // Ctrl-C signals the whole foreground group of the terminal. In a group of its own, wrangler stops when we stop
      // it, together with the processes that it has started (workerd, esbuild).
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...withoutVariables(process.env),
        ...variables,
        // For the build, which migrates the database of a plain `wrangler dev`: ours is migrated already.
        STATE_DIR: server.stateDir,
        CI: '1',
        // Without a network, fetching `request.cf` prints a warning at every start. The Worker only uses the country.
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
        // Otherwise two servers on this machine would find, and deliver to, each other's queue.
        WRANGLER_REGISTRY_PATH: join(server.stateDir, 'registry'),
      },
    })
    // The last lines, which say why wrangler ended, may arrive a moment after its end.
    this.ended = once(this.#child, 'exit')
      .then(config.remove)
      .then(() => delay(100))
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#read(line))
    }
  }

  #read(line: string): void {
    this.#lastLines.push(stripVTControlCharacters(line))
    if (this.#lastLines.length > keptLines) this.#lastLines.shift()
    const shown = worthShowing(line)
    if (shown !== undefined) console.log(shown)
  }

  /** @throws {Stop} when wrangler ends, or does not answer within two minutes. */
  async untilHealthy(url: string, signal: AbortSignal): Promise<void> {
    const deadline = Date.now() + startDeadlineMs
    let hasEnded = false
    void this.ended.then(() => (hasEnded = true))
    while (!(await isHealthy(url))) {
      signal.throwIfAborted()
      if (hasEnded) throw this.failure('wrangler dev ended before the Worker answered.')
      if (Date.now() > deadline) throw this.failure(`${url}/healthz did not answer within ${startDeadlineMs / 1000} s.`)
      await delay(100, undefined, { signal })
    }
  }

  /** An error with the last lines of wrangler's output. */
  failure(what: string): Stop {
    return new Stop(`${what}\n${this.#lastLines.join('\n').trim()}`)
  }

  /** Ends wrangler and every process that it has started. */
  async stop(): Promise<void> {
    this.#signalGroup('SIGTERM')
    await Promise.race([this.ended, delay(stopDeadlineMs, undefined, { ref: false })])
    this.#signalGroup('SIGKILL')
    await this.ended
  }

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, signal)
    } catch {
      // The group does not exist any more: all its processes have ended.
    }
  }
}

/**
 * The values come through the environment of the process: arguments would show in the process list. wrangler takes from
 * the environment what its configuration names, and only when `--env-file` replaces `.dev.vars`.
 */
function devArguments(server: LocalServer, config: string, script: string | undefined): string[] {
  return [
    script === undefined ? ['dev'] : ['dev', script],
    ['--ip', '127.0.0.1', '--port', String(server.port), '--persist-to', server.stateDir],
    // Port 0 picks a free one: another server may already use the default.
    ['--inspector-port', '0', '--show-interactive-dev-session=false', '--env-file', '/dev/null', '--config', config],
    server.pagesDir === undefined ? [] : ['--assets', server.pagesDir],
  ].flat()
}

/** What a shell happens to have under the name of a variable must not reach the Worker. */
function withoutVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const named = new Set(variableNames(join(projectRoot, 'wrangler.toml')))
  return Object.fromEntries(Object.entries(env).filter(([name]) => !named.has(name)))
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5_000) })
    return answer.ok
  } catch {
    return false
  }
}
