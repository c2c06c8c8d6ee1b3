import { createApp } from './app.ts'
import { type MailJob, type Origin, type Platform, createContext } from './context.ts'
import { consumeDeadLetters, consumeMailQueue } from './jobs/mail-queue.ts'
import { runScheduled } from './jobs/schedule.ts'

/** The name that the dead-letter queue has in wrangler.toml. */
const deadLetterQueue = 'postern-mail-dead'

/** The Worker's three ways in: requests, mail to deliver, and the clock. */
export function createWorker(platform: Platform) {
  const app = createApp(platform)
  return {
    fetch: (request, env, execution) => app.fetch(request, env, execution),
    async queue(batch, env, execution) {
      const ctx = await createContext(env, platform, originOfJob(), execution)
      await (batch.queue === deadLetterQueue ? consumeDeadLetters(ctx, batch) : consumeMailQueue(ctx, batch))
    },
    async scheduled({ cron }, env, execution) {
      await runScheduled(await createContext(env, platform, originOfJob(), execution), cron)
    },
  } satisfies ExportedHandler<Env, MailJob>
}

function originOfJob(): Origin {
  return { requestId: crypto.randomUUID(), ip: null, country: null, userAgent: null }
}
