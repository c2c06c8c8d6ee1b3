import type { Ctx } from '../context.ts'
import { linkLifeSeconds, passwordAttempts, refreshTokenSeconds, retention } from '../config/policy.ts'
import { uuidv7Floor } from '../crypto/random.ts'
import { describeError, log } from '../log.ts'
import { deleteIdleAttempts } from '../store/attempts.ts'
import { deleteAuditEventsBefore } from '../store/audit.ts'
import { deleteFinishedEmailsBefore } from '../store/emails.ts'
import { deleteExpiredLinks } from '../store/links.ts'
import { deleteRegistrationsBefore } from '../store/registrations.ts'
import { deleteExpiredSessionsBetween, lastSessionIdOfChunk } from '../store/sessions.ts'
import { expireStaleUsers } from '../store/stale-users.ts'
import { deleteUserAgentsBefore } from '../store/user-agents.ts'

/** Large deletes run in chunks, because a long D1 statement holds up every other. */
const chunkRows = 5_000
/** 88 rounds of eleven statements stay below the 1,000 of one invocation. The next run continues. */
const maxChunks = 88

/**
 * Deletes expired rows, table by table, in chunks. Each chunk is chosen by a condition alone, so an interrupted run and two
 * simultaneous runs do no harm. A table that fails does not stop the others.
 *
 * @throws {AggregateError} after all tables, when one of them failed
 */
export async function cleanUp(ctx: Ctx): Promise<void> {
  const now = ctx.now()
  const before = (ms: number) => new Date(now.getTime() - ms)
  const idBefore = (ms: number) => uuidv7Floor(before(ms))
  const chunksOf = (deleteChunk: () => Promise<D1Result>) => inChunks(async () => (await deleteChunk()).meta.changes)
  const tables: Record<string, () => Promise<number>> = {
    // A link lives for at least an hour, a session at least for its first idle time: newer ids cannot have expired.
    one_time_links: () =>
      chunksOf(() => deleteExpiredLinks(ctx.db, idBefore(linkLifeSeconds.reset * 1000), now, chunkRows).run()),
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
    user_agents: () => deleteUserAgentsBefore(ctx.db, before(retention.userAgents)),
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

/**
 * Walks the table by id, because expired sessions lie among live ones and the time of expiry has no index: that would cost
 * another written row at every refresh.
 */
async function deleteExpiredSessions(ctx: Ctx, beforeId: string, now: Date): Promise<number> {
  let total = 0
  let after = uuidv7Floor(new Date(0))
  for (let chunk = 0; chunk < maxChunks; chunk++) {
    const last = await lastSessionIdOfChunk(ctx.db, after, beforeId, chunkRows)
    if (last === null) break
    const { meta } = await deleteExpiredSessionsBetween(ctx.db, after, last, now).run()
    total += meta.changes
    after = last
  }
  return total
}
