import type { Ctx } from '../context.ts'
import { describeError, log } from '../log.ts'
import { requeueStrandedEmails } from '../services/mail/rescue.ts'
import { archiveAudit } from './audit-archive.ts'
import { cleanUp } from './cleanup.ts'
import { gauge } from './gauge.ts'

/** The job of each Cron Trigger in wrangler.toml. */
export const schedule = new Map<string, { name: string; run: (ctx: Ctx) => Promise<void> }>([
  ['*/5 * * * *', { name: 'requeue', run: requeue }],
  ['*/10 * * * *', { name: 'gauge', run: gauge }],
  ['30 * * * *', { name: 'archive', run: archiveAudit }],
  ['0 * * * *', { name: 'cleanup', run: cleanUp }],
])

async function requeue(ctx: Ctx): Promise<void> {
  log('info', 'mail.requeued', { count: await requeueStrandedEmails(ctx) })
}

/** Runs the job of a Cron Trigger. A failure is logged and rethrown, so that the platform counts it, too. */
export async function runScheduled(ctx: Ctx, cron: string): Promise<void> {
  const job = schedule.get(cron)
  if (!job) {
    log('error', 'job.unknown', { cron })
    return
  }
  const startMs = ctx.now().getTime()
  const measureEnd = (outcome: 'ok' | 'failed') => {
    const durationMs = ctx.now().getTime() - startMs
    const { calls, ms } = ctx.tally
    const numbers = { duration_ms: durationMs, d1_calls: calls, d1_ms: ms }
    ctx.measure('job', { subject: job.name, outcome, numbers })
    return durationMs
  }
  try {
    await job.run(ctx)
    log('info', 'job', { job: job.name, duration_ms: measureEnd('ok') })
  } catch (error) {
    log('error', 'job.failed', { job: job.name, duration_ms: measureEnd('failed'), ...describeError(error) })
    throw error
  }
}
