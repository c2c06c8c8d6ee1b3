import { and, desc, eq, lt } from 'drizzle-orm'
import { unionAll } from 'drizzle-orm/sqlite-core'
import { batch } from './batch.ts'
import type { Db } from './db.ts'
import { type EmailStatus, emailStatuses, emails } from './schema/emails.ts'

/** What staff may see of an email: neither its content nor the origin of the request that caused it. */
const { id, template, userId, recipient, status, attempts, providerId, fate, lastError } = emails
const { createdAt, dueAt, finishedAt, deliveredAt } = emails
const listed = { id, template, userId, recipient, status, attempts, providerId, fate, lastError }
const columns = { ...listed, createdAt, dueAt, finishedAt, deliveredAt }

export type ListedEmail = { [K in keyof typeof columns]: (typeof emails.$inferSelect)[K] }

export interface EmailFilter {
  userId?: string | undefined
  status?: EmailStatus | undefined
  /** The id of an email: only older ones. */
  before?: string | undefined
}

/**
 * A page of the outbox, newest first. It reads rows in proportion to the page and not to the table: a filter by user is a
 * union of one range for each status, each in order.
 */
export async function listEmails(db: Db, filter: EmailFilter, limit: number): Promise<ListedEmail[]> {
  const { listed } = await batch(db, { listed: selectEmailPages(db, filter, limit) })
  return listed.toSorted((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit)
}

/** The queries of `listEmails`, whose pages together hold its page. Two, because D1 takes a union of at most five. */
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
