import type { Ctx } from '../context.ts'
import { uuidv7Floor } from '../crypto/random.ts'
import { refreshTokenSeconds } from '../crypto/tokens.ts'
import { describeError, log } from '../log.ts'
import { passwordAttempts } from '../services/protection/attempts.ts'
import { deleteIdleAttempts } from '../store/attempts.ts'
import { deleteAuditEventsBefore } from '../store/audit.ts'
import { deleteFinishedEmailsBefore } from '../store/emails.ts'
import { deleteExpiredLinks } from '../store/links.ts'
import { deleteRegistrationsBefore } from '../store/registrations.ts'
import { deleteExpiredSessionsBetween, lastSessionIdOfChunk } from '../store/sessions.ts'
import { expireStaleUsers } from '../store/stale-users.ts'

const hour = 60 * 60 * 1000
const day = 24 * hour

/** Long enough for anybody who still means it, and the retention the documentation promises. */
export const retention = {
  registrations: 7 * day,
  emails: 30 * day,
  auditEvents: 400 * day,
  /** Long enough that waiting for it gains nobody a guess worth having. */
  attempts: 30 * day,
  /** A hundred wrong passwords in a row end sign-in until a reset; for an address without an account nobody resets. */
  exhaustedAttempts: 400 * day,
}

/** D1 wants large deletes in pieces: a statement that runs long holds up everything else. */
const chunkRows = 5_000
/** A chunk of every table is eleven queries, and an invocation may make 1,000; the next hour goes on. */
const maxChunks = 88

/**
 * Deletes what has run its course, table by table, in chunks chosen by a predicate: a run that is interrupted, or two
 * at once, do no harm. A table that fails does not keep the others from being cleaned.
 *
 * @throws {AggregateError} after all tables, when one of them failed
 */
export async function cleanUp(ctx: Ctx): Promise<void> {
  const now = ctx.now()
  const before = (ms: number) => new Date(now.getTime() - ms)
  const idBefore = (ms: number) => uuidv7Floor(before(ms))
  const chunksOf = (deleteChunk: () => Promise<D1Result>) => inChunks(async () => (await deleteChunk()).meta.changes)
  const tables: Record<string, () => Promise<number>> = {
    // No link lives shorter than an hour, no session shorter than its first idle time: younger ids need no look.
    one_time_links: () => chunksOf(() => deleteExpiredLinks(ctx.db, idBefore(hour), now, chunkRows).run()),
    sessions: () => deleteExpiredSessions(ctx, idBefore(refreshTokenSeconds * 1000), now),
    attempt_counters: () =>
      chunksOf(() =>
        deleteIdleAttempts(
          ctx.db,
          passwordAttempts,
          before(retention.attempts),
          before(retention.exhaustedAttempts),
          chunkRows,
        ).run(),
      ),
    users: () => inChunks(() => expireStaleUsers(ctx.db, idBefore(retention.registrations), now, chunkRows)),
    registrations: () =>
      chunksOf(() => deleteRegistrationsBefore(ctx.db, idBefore(retention.registrations), chunkRows).run()),
    emails: () => chunksOf(() => deleteFinishedEmailsBefore(ctx.db, idBefore(retention.emails), chunkRows).run()),
    audit_events: () =>
      chunksOf(() => deleteAuditEventsBefore(ctx.db, idBefore(retention.auditEvents), chunkRows).run()),
  }
  const failures: unknown[] = []
  for (const [table, clean] of Object.entries(tables)) {
    try {
      log('info', 'cleanup', { table, deleted: await clean() })
    } catch (error) {
      log('error', 'cleanup.failed', { table, ...describeError(error) })
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'cleanup failed')
}

async function inChunks(deleteChunk: () => Promise<number>): Promise<number> {
  let total = 0
  for (let chunk = 0; chunk < maxChunks; chunk++) {
    const deleted = await deleteChunk()
    total += deleted
    if (deleted < chunkRows) break
  }
  return total
}

/** Expired sessions lie among live ones, and their end has no index: it would cost a row at every refresh. */
async function deleteExpiredSessions(ctx: Ctx, beforeId: string, now: Date): Promise<number> {
  let total = 0
  let after = ''
  for (let chunk = 0; chunk < maxChunks; chunk++) {
    const last = await lastSessionIdOfChunk(ctx.db, after, beforeId, chunkRows)
    if (last === null) break
    const { meta } = await deleteExpiredSessionsBetween(ctx.db, after, last, now).run()
    total += meta.changes
    after = last
  }
  return total
}
