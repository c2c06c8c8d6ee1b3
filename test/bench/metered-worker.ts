/**
 * The Worker as it is deployed, in front of bindings that count: for `npm run bench:scale`. A request names what it
 * measures in `x-measured`. `GET /-/invocations` tells what each invocation cost, with the work after its answer.
 */
import { production } from '../../src/context.ts'
import { trustSchema } from '../../src/store/migrations.ts'
import { createWorker } from '../../src/worker.ts'
import type { Invocation } from '../../tools/scale/cost.ts'
import { countCosts } from '../support/counting.ts'

const worker = createWorker(production)

const invocations: Invocation[] = []
let logBytes = 0

for (const level of ['info', 'warn', 'error'] as const) {
  // oxlint-disable-next-line no-console -- the log of the Worker goes to the console
  console[level] = (line: unknown) => {
    logBytes += String(line).length
  }
}

/** Adds up the durations that D1 reports. The statements stay those of D1, which a batch needs. */
function timed(database: D1Database, add: (ms: number) => void): D1Database {
  function statement(inner: D1PreparedStatement): D1PreparedStatement {
    const [bind, all] = [inner.bind.bind(inner), inner.all.bind(inner)]
    return Object.assign<D1PreparedStatement, object>(inner, {
      bind: (...values: unknown[]) => statement(bind(...values)),
      all: async () => {
        const result = await all()
        add(result.meta.duration)
        return result
      },
    })
  }
  return {
    prepare: (sql: string) => statement(database.prepare(sql)),
    batch: async (statements: D1PreparedStatement[]) => {
      const results = await database.batch(statements)
      for (const { meta } of results) add(meta.duration)
      return results
    },
  } as unknown as D1Database
}

type Invoke<Answer> = (bindings: Env, execution: ExecutionContext) => Promise<Answer>

async function metered<Answer>(what: string, messages: number, env: Env, invoke: Invoke<Answer>): Promise<Answer> {
  let sqlMs = 0
  const { bindings, take } = countCosts({ ...env, DB: timed(env.DB, (ms) => (sqlMs += ms)) })
  trustSchema(bindings.DB)
  const queue = {
    send: async (job: never) => {
      await bindings.MAIL_QUEUE.send(job)
      return env.MAIL_QUEUE.send(job)
    },
    sendBatch: (jobs: never) => env.MAIL_QUEUE.sendBatch(jobs),
  } as unknown as Env['MAIL_QUEUE']
  const deferred: Promise<unknown>[] = []
  const execution = { waitUntil: (work: Promise<unknown>) => deferred.push(work), passThroughOnException() {} }
  const [startedAt, loggedBefore] = [Date.now(), logBytes]
  const answer = await invoke({ ...env, ...bindings, MAIL_QUEUE: queue }, execution as unknown as ExecutionContext)
  for (const work of deferred) await work
  const { statements: _, ...cost } = take()
  invocations.push({ what, messages, ...cost, logBytes: logBytes - loggedBefore, sqlMs, ms: Date.now() - startedAt })
  return answer
}

// oxlint-disable-next-line import/no-default-export -- the platform asks for it
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/-/invocations') return Response.json(invocations)
    if (pathname === '/-/job') {
      const cron = searchParams.get('cron') ?? ''
      await metered(`job ${cron}`, 0, env, (bindings, execution) =>
        worker.scheduled({ cron, scheduledTime: Date.now(), noRetry() {} }, bindings, execution),
      )
      return new Response()
    }
    const what = request.headers.get('x-measured') ?? `${request.method} ${pathname}`
    return metered(what, 0, env, async (bindings, execution) => worker.fetch(request, bindings, execution))
  },
  queue(batch, env) {
    return metered('queue', batch.messages.length, env, (bindings, execution) =>
      worker.queue(batch, bindings, execution),
    )
  },
} satisfies ExportedHandler<Env, { id: string }>
