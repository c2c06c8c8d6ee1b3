/** What an operator watches in a database, at a bounded cost. */
import { type SQL, sql } from 'drizzle-orm'
import { idParam, type Db } from './db.ts'
import { foreignPasskeys } from './foreign-passkeys.ts'
import { isEndedUnsent, isOpen, statusNumber } from './emails.ts'
import type { EmailStatus } from './schema/emails.ts'

/**
 * Counts stop here: each reads at most this many entries of an index. The counts of open emails share one such limit.
 */
const countedRows = 10_000

interface Gauge {
  queued: number
  sending: number
  overdue: number
  failed: number
  unknown: number
  /** 1 when there are passkeys of another RP ID. */
  foreign_passkeys: number
}

/**
 * Counts the emails that are open, overdue or lately given up, and looks for passkeys of another RP ID. The answer of
 * D1 carries the size of the database.
 *
 * @param overdueBefore an open email that was due before this is overdue
 * @param sinceId the first id of the period for those that were given up
 */
export async function readGauge(
  db: Db,
  overdueBefore: Date,
  sinceId: string,
  rpId: string,
): Promise<Gauge & { bytes: number }> {
  const { results, meta } = await db.run<Gauge>(sql`select
    count(*) filter (where status = ${statusNumber('queued')}) as queued,
    count(*) filter (where status = ${statusNumber('sending')}) as sending,
    count(*) filter (where due_at < ${overdueBefore.getTime()}) as overdue,
    ${countSince('failed', sinceId)} as failed,
    ${countSince('unknown', sinceId)} as unknown,
    ${foreignPasskeys(rpId)} as foreign_passkeys
    from (select status, due_at from emails indexed by emails_open where ${isOpen}
      order by announce_at limit ${countedRows})`)
  return { ...results[0]!, bytes: meta.size_after }
}

function countSince(status: EmailStatus, sinceId: string): SQL {
  return sql`(select count(*) from (select 1 from emails indexed by emails_status
    where ${isEndedUnsent} and status = ${statusNumber(status)} and id >= ${idParam(sinceId)} limit ${countedRows}))`
}
