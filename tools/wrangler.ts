import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

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
