import { and, desc, eq, lt } from 'drizzle-orm'
import { unionAll } from 'drizzle-orm/sqlite-core'
import { type Db, orderedBatch } from './db.ts'
import { type EmailStatus, emailStatuses, emails } from './schema.ts'

/** What may be seen of a mail: nothing of what it says, and not from where it was asked for. */
const { id, template, userId, recipient, status, attempts, providerId, fate, lastError } = emails
const { createdAt, dueAt, finishedAt, deliveredAt } = emails
const listed = { id, template, userId, recipient, status, attempts, providerId, fate, lastError }
const columns = { ...listed, createdAt, dueAt, finishedAt, deliveredAt }

export type ListedEmail = { [K in keyof typeof columns]: (typeof emails.$inferSelect)[K] }

export interface EmailFilter {
  userId?: string | undefined
  status?: EmailStatus | undefined
  /** Only mails older than this one. */
  before?: string | undefined
}

/**
 * A page of the outbox, newest first. Rows read are bound by the page and not by the table: a filter by user is the
 * union of a range for each status, each in order.
 */
export async function listEmails(db: Db, filter: EmailFilter, limit: number): Promise<ListedEmail[]> {
  const pages: readonly ListedEmail[][] = await orderedBatch(db, selectEmailPages(db, filter, limit))
  return pages
    .flat()
    .toSorted((a, b) => (a.id < b.id ? 1 : -1))
    .slice(0, limit)
}

/** The queries of `listEmails`: a page from each of them makes the page of all. D1 takes a union of at most five. */
export function selectEmailPages(db: Db, { userId: user, status: state, before }: EmailFilter, limit: number) {
  const order = desc(emails.id)
  const range = (each: EmailStatus | undefined) =>
    db
      .select(columns)
      .from(emails)
      .where(
        and(
          user === undefined ? undefined : eq(emails.userId, user),
          each && eq(emails.status, each),
          before === undefined ? undefined : lt(emails.id, before),
        ),
      )
  if (user === undefined || state) return [range(state).orderBy(order).limit(limit)] as const
  const [queued, sending, sent, skipped, failed, unknown] = emailStatuses
  return [
    unionAll(range(queued), range(sending), range(sent)).orderBy(order).limit(limit),
    unionAll(range(skipped), range(failed), range(unknown)).orderBy(order).limit(limit),
  ] as const
}
