/**
 * One workerd with all measured Workers on the same D1 and KV, as a process of its own: it also reads the log lines of
 * the Workers, which must not take time from the process that measures. Started by `startServer`.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type * as miniflareModule from 'miniflare'
import { unstable_getMiniflareWorkerOptions as readWorkerOptions } from 'wrangler'
import { projectRoot } from '../wrangler.ts'
import type { ServerOptions, Serving } from './server.ts'

/** The one that wrangler runs: it has the D1 and KV of `wrangler dev`. */
const { Miniflare, convertV4MiniflareOptions } = createRequire(import.meta.resolve('wrangler'))(
  'miniflare',
) as typeof miniflareModule

/** What this file reads of the options that wrangler makes of wrangler.toml. */
interface BoundWorker {
  queueConsumers?: unknown
  assets?: unknown
  modulesRules?: unknown
  compatibilityFlags?: string[]
  bindings?: Record<string, string>
}

async function serve({ stateDir, workers, variables, isInspected }: ServerOptions): Promise<Serving> {
  const { workerOptions } = readWorkerOptions(join(projectRoot, 'wrangler.toml'))
  // Emails stay in the queue, and no page is served.
  const { queueConsumers: _, assets: __, modulesRules: ___, ...ours } = workerOptions as BoundWorker
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      resourcePersistencePath: join(stateDir, 'v3'),
      cf: false,
      ...(isInspected && { inspectorPort: 0 }),
      handleStructuredLogs: ({ level, message }) => {
        if (level === 'error') console.error(message)
      },
      workers: workers.map(({ name, script, flags = [], hasOwnDatabase }) => ({
        ...ours,
        name,
        modules: true,
        script,
        compatibilityFlags: [...(ours.compatibilityFlags ?? []), ...flags],
        ...(hasOwnDatabase && { d1Databases: { DB: name } }),
        bindings: { ...ours.bindings, ...variables },
        // Past the proxy of Miniflare, which costs more than what is measured.
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      })),
    }),
  )
  await miniflare.ready
  const ports: Record<string, number> = {}
  for (const { name } of workers) ports[name] = Number((await miniflare.unsafeGetDirectURL(name)).port)
  const inspector = isInspected ? (await miniflare.getInspectorURL()).href : null
  return { ports, inspector, pid: runtimePid() }
}

/** The process of workerd: the only child. 0 on systems without /proc. */
function runtimePid(): number {
  try {
    const threads = readdirSync('/proc/self/task')
    const children = threads.flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' '))
    return Number(children.find((pid) => pid !== ''))
  } catch {
    return 0
  }
}

process.once('message', (options: ServerOptions) => {
  serve(options).then(
    (serving) => process.send!(serving),
    (error) => {
      console.error(error)
      process.exit(1)
    },
  )
})
// The process that started this one has ended, for whatever reason.
process.once('disconnect', () => process.exit())
