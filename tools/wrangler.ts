import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The repository: where wrangler.toml, the migrations and `.dev.vars` are. */
export const projectRoot = fileURLToPath(new URL('..', import.meta.url))

/** What came of one wrangler command. */
export interface Outcome {
  exitCode: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  /** What the command reads, for what must not be seen in a list of processes. */
  stdin?: string
  /** Shows the command's output as it comes, besides collecting it. */
  isShown?: boolean
  signal?: AbortSignal
  env?: Record<string, string>
}

/** Runs one wrangler command to its end; tests pass another one in. */
export type Wrangler = (args: readonly string[], options?: RunOptions) => Promise<Outcome>

/** The project's own wrangler, run by this very Node: the one on the PATH may be too old for it. */
export function spawnWrangler(args: readonly string[], options: SpawnOptions): ChildProcess {
  const bin = fileURLToPath(new URL('../node_modules/wrangler/bin/wrangler.js', import.meta.url))
  return spawn(process.execPath, [bin, ...args], {
    cwd: projectRoot,
    ...options,
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      FORCE_COLOR: '0',
      ...options.env,
    },
  })
}

export const runWrangler: Wrangler = (args, { stdin, isShown = false, signal, env } = {}) =>
  new Promise((resolve, reject) => {
    // CI: ask nothing. What there is to confirm, our own commands have asked before.
    const child = spawnWrangler(args, { stdio: 'pipe', env: { CI: '1', ...env }, ...(signal && { signal }) })
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
    // An aborted command, too, is over only when all that it has started is.
    child.on('close', (code) => (failure ? reject(failure) : resolve({ ...outcome, exitCode: code ?? 1 })))
    // A command that fails early closes its end; its exit code says more than the broken pipe.
    child.stdin?.on('error', () => {}).end(stdin ?? '')
  })

/** Terminal colours, which wrangler writes even where it was told not to. */
export function withoutColour(text: string): string {
  // oxlint-disable-next-line no-control-regex -- an escape sequence begins with a control character
  return text.replace(/\x1b\[[0-9;]*m/g, '')
}
