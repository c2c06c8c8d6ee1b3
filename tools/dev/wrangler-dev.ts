import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { Stop } from '../command.ts'
import { spawnWrangler } from '../wrangler.ts'
import { type LocalServer, localAdminEmail } from './settings.ts'
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

  /** @param more additional variables of the Worker. */
  constructor(server: LocalServer, more: Record<string, string> = {}) {
    this.#child = spawnWrangler(devArguments(server, { ...localVariables(server, process.env), ...more }), {
      // Ctrl-C signals the whole foreground group of the terminal. In a group of its own, wrangler stops when we stop
      // it, together with the processes that it has started (workerd, esbuild).
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        CI: '1',
        // Without a network, fetching `request.cf` prints a warning at every start. The Worker only uses the country.
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
        // Otherwise two servers on this machine would find, and deliver to, each other's queue.
        WRANGLER_REGISTRY_PATH: join(server.stateDir, 'registry'),
      },
    })
    // The last lines, which say why wrangler ended, may arrive a moment after its end.
    this.ended = once(this.#child, 'exit').then(() => delay(100))
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

/** Overrides wrangler.toml on a developer's machine. The Worker calls no other host, unless the environment names one. */
export function localVariables(
  { url, mailboxUrl, rateLimits, passedOn }: LocalServer,
  env: NodeJS.ProcessEnv,
): Record<string, string> {
  return {
    ENVIRONMENT: 'development',
    PUBLIC_URL: url,
    RESEND_BASE_URL: mailboxUrl,
    BOOTSTRAP_ADMIN_EMAIL: localAdminEmail,
    MAIL_FROM: 'Postern <accounts@example.com>',
    RATE_LIMITS: rateLimits,
    ...passedOn,
    PWNED_PASSWORDS_URL: env['PWNED_PASSWORDS_URL'] ?? '',
    PWNED_PASSWORDS_REQUIRED: env['PWNED_PASSWORDS_REQUIRED'] ?? '',
  }
}

function devArguments(server: LocalServer, variables: Record<string, string>): string[] {
  return [
    ['dev', '--ip', '127.0.0.1', '--port', String(server.port), '--persist-to', server.stateDir],
    // Port 0 picks a free one: another server may already use the default.
    ['--inspector-port', '0', '--show-interactive-dev-session=false'],
    Object.entries(variables).flatMap(([name, value]) => ['--var', `${name}:${value}`]),
  ].flat()
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5_000) })
    return answer.ok
  } catch {
    return false
  }
}
