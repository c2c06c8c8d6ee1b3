import { CommandProcess, until } from './command-process.ts'
import { descendantsOf, runningOf } from './process-tree.ts'

/** The Worker in wrangler, to be killed without a chance to tidy up, and started again on what it left. */
export class KillableWorker {
  readonly #env: Record<string, string>
  #process: CommandProcess | undefined
  #pids: number[] = []

  constructor(env: Record<string, string>) {
    this.#env = env
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  async start(): Promise<void> {
    this.#process = new CommandProcess('test/e2e/support/worker-alone.ts', this.#env)
    await this.#process.untilSaid('The Worker runs.')
    // Looked up now, since that takes longer than a call.
    this.#pids = treeOf(this.#process.pid)
  }

  /** SIGKILL for every process of it, and for no other. */
  async kill(): Promise<void> {
    if (!this.#process) return
    const pids = this.#pids.length > 0 ? this.#pids : treeOf(this.#process.pid)
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It went with the one before.
      }
    }
    await this.#process.exitCode()
    // Another one must not find the port, or the database, in the hands of this one.
    await until(() => runningOf(pids).length === 0, 'the end of every process')
    this.#process = undefined
    this.#pids = []
  }

  get output(): string {
    return this.#process?.output ?? ''
  }
}

/** The runtime first: it is what writes. */
function treeOf(pid: number): number[] {
  return [pid, ...descendantsOf(pid)].toReversed()
}
