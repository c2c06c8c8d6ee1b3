import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { projectRoot } from '../../../tools/wrangler.ts'

/** One of our commands as a process of its own, with nobody at its keyboard. */
export class CommandProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  output = ''

  constructor(file: string, env: Record<string, string>) {
    this.#child = spawn(process.execPath, [join(projectRoot, file)], {
      env: { ...process.env, ...env },
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

  /** Waits until the output has `text`. Fails with the whole output when the process ends before. */
  async untilSaid(text: string, deadlineMs = 150_000): Promise<void> {
    const state = { hasEnded: false }
    void this.#ended.then(() => (state.hasEnded = true))
    await until(
      () => {
        if (!this.output.includes(text) && state.hasEnded)
          throw new Error(`It ended without "${text}":\n${this.output}`)
        return this.output.includes(text)
      },
      `"${text}"`,
      deadlineMs,
      () => this.output,
    )
  }
}

/** Polls until something is so. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = 30_000,
  describe: () => string = () => '',
): Promise<void> {
  const deadline = Date.now() + deadlineMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${deadlineMs} ms. ${describe()}`)
    await delay(50)
  }
}
