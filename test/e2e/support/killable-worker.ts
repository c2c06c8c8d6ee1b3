import { CommandProcess, until } from './command-process.ts'
import { descendantsOf, runningOf } from './process-tree.ts'

/** The Worker in `wrangler dev`. It can be killed without a chance to clean up, and started again on the same data. */
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
    // Looked up in advance, because this takes longer than a call.
    this.#pids = treeOf(this.#process.pid)
  }

  /** Sends SIGKILL to every process of the Worker. */
  async kill(): Promise<void> {
    if (!this.#process) return
    const pids = this.#pids.length > 0 ? this.#pids : treeOf(this.#process.pid)
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended together with an earlier one.
      }
    }
    await this.#process.exitCode()
    // The next Worker needs the port and the database.
    await until(() => runningOf(pids).length === 0, 'the end of every process')
    this.#process = undefined
    this.#pids = []
  }

  get output(): string {
    return this.#process?.output ?? ''
  }
}

/** The runtime comes first: it is the process that writes. */
function treeOf(pid: number): number[] {
  return [pid, ...descendantsOf(pid)].toReversed()
}
