/** What an operator watches in a database, at a bounded cost. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from './db.ts'
import type { EmailStatus } from './schema/emails.ts'

/** No count goes further: each reads at most this many entries of an index. */
export const countedRows = 10_000

interface Gauge {
  queued: number
  sending: number
  overdue: number
  failed: number
  unknown: number
}

/**
 * Counts the emails that are open, overdue or lately given up. The answer of D1 carries the size of the database file.
 *
 * @param overdueBefore an open email that was due before this is overdue
 * @param sinceId the first id of the period for those that were given up
 */
export async function readGauge(db: Db, overdueBefore: Date, sinceId: string): Promise<Gauge & { bytes: number }> {
  const hasStatus = (status: EmailStatus) => sql`emails indexed by emails_status where status = ${status}`
  // Word for word the condition of the partial index.
  const isOpen = sql`emails indexed by emails_due where status IN ('queued', 'sending')`
  const { results, meta } = (await db.run(sql`select
    ${countOf(hasStatus('queued'))} as queued,
    ${countOf(hasStatus('sending'))} as sending,
    ${countOf(sql`${isOpen} and due_at < ${overdueBefore.getTime()}`)} as overdue,
    ${countOf(sql`${hasStatus('failed')} and id >= ${sinceId}`)} as failed,
    ${countOf(sql`${hasStatus('unknown')} and id >= ${sinceId}`)} as unknown`)) as D1Result<Gauge>
  return { ...results[0]!, bytes: meta.size_after }
}

function countOf(where: SQL): SQL {
  return sql`(select count(*) from (select 1 from ${where} limit ${countedRows}))`
}
