import { createApp } from './app.ts'
import { ConfigError } from './config/settings.ts'
import { type Ctx, type MailJob, type Platform, createContext } from './context.ts'
import { consumeDeadLetters, consumeMailQueue } from './jobs/mail-queue.ts'
import { runScheduled } from './jobs/schedule.ts'
import { log } from './log.ts'

/** How the name of the dead-letter queue ends in wrangler.toml. */
const deadLetterSuffix = '-dead'

/** A queue that is retried at once against a broken configuration has given everything up before anybody can mend it. */
const retryWhenUnfitSeconds = 300

/** The Worker's three ways in: requests, mail to deliver, and the clock. */
export function createWorker(platform: Platform) {
  const app = createApp(platform)
  return {
    fetch: (request, env, execution) => app.fetch(request, env, execution),
    async queue(batch, env, execution) {
      const ctx = await createJobContext(env, platform, execution)
      if (!ctx) batch.retryAll({ delaySeconds: retryWhenUnfitSeconds })
      else await (batch.queue.endsWith(deadLetterSuffix) ? consumeDeadLetters : consumeMailQueue)(ctx, batch)
    },
    async scheduled({ cron }, env, execution) {
      const ctx = await createJobContext(env, platform, execution)
      if (ctx) await runScheduled(ctx, cron)
    },
  } satisfies ExportedHandler<Env, MailJob>
}

/** The context of a job, or nothing and a line in the log when the environment is not fit to work in. */
async function createJobContext(env: Env, platform: Platform, execution: ExecutionContext): Promise<Ctx | undefined> {
  const origin = { requestId: crypto.randomUUID(), ip: null, country: null, userAgent: null }
  try {
    return await createContext(env, platform, origin, execution)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    log('error', 'config.invalid', { problems: error.problems })
    return undefined
  }
}
