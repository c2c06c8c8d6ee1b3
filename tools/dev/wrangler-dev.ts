import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { Stop } from '../stop.ts'
import { runWrangler, spawnWrangler, withoutColour } from '../wrangler.ts'
import { type LocalServer, localAdminEmail } from './settings.ts'
import { worthShowing } from './worker-output.ts'

/** A first start on a slow machine bundles the Worker and unpacks the runtime. */
const startDeadlineMs = 120_000
const stopDeadlineMs = 5_000
const keptLines = 40

/** Brings the local database to the newest schema. */
export async function applyLocalMigrations({ stateDir }: LocalServer, signal: AbortSignal): Promise<void> {
  const { exitCode, stdout, stderr } = await runWrangler(
    ['d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', stateDir],
    { signal },
  )
  if (exitCode !== 0) throw new Stop(`The local migrations failed.\n${withoutColour(stdout + stderr).trim()}`)
}

/** `wrangler dev` as a child, in a process group of its own. */
export class WranglerDev {
  readonly #child: ChildProcess
  readonly #lastLines: string[] = []
  /** Fulfilled when wrangler has ended, for whatever reason. */
  readonly ended: Promise<unknown>

  /** @param more variables for this run. */
  constructor(server: LocalServer, more: Record<string, string> = {}) {
    this.#child = spawnWrangler(devArguments(server, { ...localVariables(server, process.env), ...more }), {
      // Ctrl-C in a terminal goes to the whole foreground group. Apart from it, wrangler stops when we say so, and
      // what it has started (workerd, esbuild) can be stopped with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        CI: '1',
        // Without a network this would be a warning at every start; the Worker asks only for the country.
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
        // Two servers side by side must not find, and deliver to, each other's queue.
        WRANGLER_REGISTRY_PATH: join(server.stateDir, 'registry'),
      },
    })
    // The last lines may come a moment after the end; they are the ones that say why.
    this.ended = once(this.#child, 'exit').then(() => delay(100))
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#read(line))
    }
  }

  #read(line: string): void {
    this.#lastLines.push(withoutColour(line))
    if (this.#lastLines.length > keptLines) this.#lastLines.shift()
    const shown = worthShowing(line)
    if (shown !== undefined) console.log(shown)
  }

  /** @throws {Stop} when wrangler ends, or nothing answers in time. */
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

  /** An error that carries what wrangler said last. */
  failure(what: string): Stop {
    return new Stop(`${what}\n${this.#lastLines.join('\n').trim()}`)
  }

  /** Ends wrangler and everything it has started. */
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
      // No such group: all of it has ended.
    }
  }
}

/** What differs from wrangler.toml on a developer's machine. Nothing of it calls out unless the environment says so. */
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
    // Port 0 is any free one: the usual one belongs to whichever server was there first.
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
