import { strandedMs } from '../config/policy.ts'
import type { Ctx } from '../context.ts'
import { uuidv7Floor } from '../crypto/random.ts'
import { dayMs } from '../durations.ts'
import { log } from '../log.ts'
import { reportForeignPasskeys } from '../services/factors/foreign-passkeys.ts'
import { fullnessOf, maxDatabaseBytes } from '../store/room.ts'
import { readGauge } from '../store/gauge.ts'

/** Logs how full the database is, and how the outbox stands. It warns when somebody should look. */
export async function gauge(ctx: Ctx): Promise<void> {
  const nowMs = ctx.now().getTime()
  const since = uuidv7Floor(new Date(nowMs - dayMs))
  const found = await readGauge(ctx.db, new Date(nowMs - strandedMs), since, ctx.config.rpId)
  if (found.foreign_passkeys === 1) reportForeignPasskeys(ctx.config)
  const percent = Math.round((found.bytes / maxDatabaseBytes) * 1000) / 10
  const numbers = {
    database_bytes: found.bytes,
    mail_queued: found.queued,
    mail_sending: found.sending,
    mail_overdue: found.overdue,
    mail_failed: found.failed,
    mail_unknown: found.unknown,
  }
  const isFilling = fullnessOf(found.bytes) !== 'ok'
  // Written out again: a test compares the fields of each log line with docs/operations.md.
  log(isFilling || found.overdue > 0 ? 'warn' : 'info', 'gauge', {
    database_bytes: found.bytes,
    database_percent: percent,
    mail_queued: found.queued,
    mail_sending: found.sending,
    mail_overdue: found.overdue,
    mail_failed: found.failed,
    mail_unknown: found.unknown,
  })
  ctx.measure('gauge', { numbers })
}
