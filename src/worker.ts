import { createApp } from './app.ts'
import { ConfigError } from './config/settings.ts'
import { type Ctx, type MailJob, type Platform, createContext } from './context.ts'
import { consumeDeadLetters, consumeMailQueue } from './jobs/mail-queue.ts'
import { runScheduled } from './jobs/schedule.ts'
import { finishWithoutClient } from './http/finish.ts'
import { log } from './log.ts'

/** The dead-letter queue has this ending in wrangler.toml. */
const deadLetterSuffix = '-dead'

/** With immediate retries against a broken configuration, every message would be given up before anybody can fix it. */
const retryWhenUnfitSeconds = 300

/** Forty tries of a message last ten hours. A row whose message is given up stays in the outbox, and is sent again. */
const retryInMaintenanceSeconds = 900

/** The three entry points of the Worker: requests, emails to deliver, and Cron Triggers. */
export function createWorker(platform: Platform) {
  const app = createApp(platform)
  return {
    async fetch(request, env, execution) {
      const answered = Promise.resolve(app.fetch(request, env, execution))
      finishWithoutClient(request, answered, execution)
      return answered
    },
    async queue(batch, env, execution) {
      const ctx = await createJobContext(env, platform, execution)
      if (!ctx) batch.retryAll({ delaySeconds: retryWhenUnfitSeconds })
      else if (isPaused(ctx, batch.queue)) batch.retryAll({ delaySeconds: retryInMaintenanceSeconds })
      else await (batch.queue.endsWith(deadLetterSuffix) ? consumeDeadLetters : consumeMailQueue)(ctx, batch)
    },
    async scheduled({ cron }, env, execution) {
      const ctx = await createJobContext(env, platform, execution)
      if (ctx && !isPaused(ctx, cron)) await runScheduled(ctx, cron)
    },
  } satisfies ExportedHandler<Env, MailJob>
}

/** Under maintenance nothing is read or written: the database may be the old one, the new one or neither. */
function isPaused({ config }: Ctx, job: string): boolean {
  if (config.isUnderMaintenance) log('info', 'job.paused', { job })
  return config.isUnderMaintenance
}

/** The context of a job; `undefined` and a line in the log if the configuration is invalid. */
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
