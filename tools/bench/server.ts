import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Stop } from '../command.ts'

export interface MeasuredWorker {
  name: string
  /** The text of its only module. */
  script: string
  /** Compatibility flags besides those of wrangler.toml. */
  flags?: string[]
  /** Whether it has a database of its own instead of ours. */
  hasOwnDatabase?: boolean
}

export interface ServerOptions {
  stateDir: string
  workers: MeasuredWorker[]
  /** Variables and secrets. They override those of wrangler.toml. */
  variables: Record<string, string>
  isInspected: boolean
}

export interface Serving {
  /** Of each Worker by its name, on 127.0.0.1. */
  ports: Record<string, number>
  /** The address of the inspector. */
  inspector: string | null
  /** The process of the runtime. */
  pid: number
}

export interface Server extends Serving {
  stop(): Promise<void>
}

/** @throws {Stop} when the runtime does not start; it has said why. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const child = fork(new URL('serve.ts', import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  child.send(options)
  const first = await Promise.race([once(child, 'message'), ended.then(() => undefined)])
  if (!first) throw new Stop('The runtime did not start.')
  return {
    ...(first[0] as Serving),
    async stop() {
      child.disconnect()
      await ended
    },
  }
}
