import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { projectRoot } from '../../../tools/wrangler.ts'

/** Builds of the pages are skipped (prepare.ts). */
const env = { ...process.env, npm_config_script_shell: join(import.meta.dirname, 'record-build.sh') }

/** One of our commands as a process of its own, without a terminal. */
export class CommandProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  output = ''

  constructor(file: string, variables: Record<string, string>, args: readonly string[] = []) {
    this.#child = spawn(process.execPath, [join(projectRoot, file), ...args], {
      env: { ...env, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text))
    }
    this.#ended = once(this.#child, 'close').then(([code]) => code as number | null)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** The exit code, or `null` when a signal ended it. */
  exitCode(): Promise<number | null> {
    return this.#ended
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Waits until the output contains `text`. Fails with the whole output when the process ends first. */
  async untilSaid(text: string, deadlineMs = 150_000): Promise<void> {
    const state = { hasEnded: false }
    void this.#ended.then(() => (state.hasEnded = true))
    await until(
      () => {
        if (!this.output.includes(text) && state.hasEnded)
          throw new Error(`The command ended without "${text}":\n${this.output}`)
        return this.output.includes(text)
      },
      `"${text}"`,
      deadlineMs,
      () => this.output,
    )
  }
}

/** Polls until `isSo` returns true. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = 30_000,
  describe: () => string = () => '',
): Promise<void> {
  const deadline = Date.now() + deadlineMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Timed out after ${deadlineMs} ms waiting for ${what}. ${describe()}`)
    await delay(20)
  }
}
