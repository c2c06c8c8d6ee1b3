import { type SQL, and, desc, eq, lt, sql } from 'drizzle-orm'
import { type Db, allOf } from './db.ts'
import { isEndedUnsent, isOpen, statusNumber } from './emails.ts'
import { type Page, pageOf } from './page.ts'
import { type EmailStatus, emails } from './schema/emails.ts'

/** What staff may see of an email: neither its content nor the origin of the request that caused it. */
const { id, template, userId, recipient, status, attempts, providerId, fate, lastError } = emails
const { dueAt, finishedAt, deliveredAt } = emails
const listed = { id, template, userId, recipient, status, attempts, providerId, fate, lastError }
const columns = { ...listed, dueAt, finishedAt, deliveredAt }

export type ListedEmail = { [K in keyof typeof columns]: (typeof emails.$inferSelect)[K] }

export interface EmailFilter {
  userId?: string | undefined
  status?: EmailStatus | undefined
  /** The id of an email: only older ones. */
  before?: string | undefined
}

/** A page walks no more rows or entries of an index than this, besides its own rows. */
export const maxWalked = 10_000

/**
 * A page of the outbox, newest first.
 *
 * Most emails are sent, so that status has no index: its list walks all emails, and the list of a user's emails of one
 * status those of the user. A walk that reaches its bound gives a short page, and the place where the next one
 * continues. Among more than `maxWalked` open emails, the list of queued or sending ones has those that wait the
 * longest.
 */
export async function listEmails(db: Db, filter: EmailFilter, limit: number): Promise<Page<ListedEmail>> {
  const rows = await selectEmails(db, filter, limit + 1)
  const page = pageOf(rows, limit, (row) => row.id)
  if (page.next !== null || !isWalk(filter)) return page
  const [end] = await selectEndOfWalk(db, filter)
  return { ...page, next: end?.id ?? null }
}

/** The query of `listEmails`, without the end of a walk. */
export function selectEmails(db: Db, filter: EmailFilter, limit: number) {
  const newest = desc(emails.id)
  const { status: wanted } = filter
  if (wanted !== undefined && isWalk(filter)) {
    const walked = db
      .select(columns)
      .from(emails)
      .where(isInRange(filter))
      .orderBy(newest)
      .limit(maxWalked)
      .as('walked')
    // In the order of the walk. A second `order by` would sort, and so walk to the bound every time.
    return db.select().from(walked).where(eq(walked.status, wanted)).limit(limit)
  }
  const isListed = and(isInRange(filter), wanted && hasStatus(wanted))
  return db.select(columns).from(emails).where(isListed).orderBy(newest).limit(limit)
}

/** The condition for a status that few emails have, by its index. */
function hasStatus(wanted: EmailStatus): SQL {
  const isWanted = sql`status = ${statusNumber(wanted)}`
  if (wanted !== 'queued' && wanted !== 'sending') return allOf(isEndedUnsent, isWanted)
  return sql`${id} in (select id from (select id, status from emails indexed by emails_open
    where ${isOpen} order by announce_at limit ${maxWalked}) where ${isWanted})`
}

function isWalk({ userId: user, status: wanted }: EmailFilter): boolean {
  return wanted !== undefined && (user !== undefined || wanted === 'sent')
}

function isInRange({ userId: user, before }: EmailFilter): SQL | undefined {
  return and(
    user === undefined ? undefined : eq(emails.userId, user),
    before === undefined ? undefined : lt(emails.id, before),
  )
}

/** The last row of a walk that reached its bound. */
function selectEndOfWalk(db: Db, filter: EmailFilter) {
  return db
    .select({ id })
    .from(emails)
    .where(isInRange(filter))
    .orderBy(desc(emails.id))
    .limit(1)
    .offset(maxWalked - 1)
}
