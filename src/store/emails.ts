import { type SQL, and, eq, inArray, isNull, lt, notInArray, sql } from 'drizzle-orm'
import { uuidv7Floor } from '../crypto/random.ts'
import { type Db, type Row, insertWhere } from './db.ts'
import { type Email, type EmailStatus, emails } from './schema.ts'

export function insertEmail(db: Db, email: Row<typeof emails>, guard: SQL = sql`true`) {
  return insertWhere(db, emails, email, guard).returning({ id: emails.id })
}

/** At most so many mails of a kind go to one address, so that nobody can use the service to flood a mailbox. */
export const mailBudget = { perHour: 5, perDay: 20 }

const hourMs = 60 * 60 * 1000

/** Fewer mails of this kind than the budget were asked for, for this address. Exact: the insert that asks counts. */
export function mailBudgetLeft(
  { recipient, budget }: Pick<Row<typeof emails>, 'recipient' | 'budget'>,
  now: Date,
): SQL {
  const since = (ms: number) => uuidv7Floor(new Date(now.getTime() - ms))
  const count = (ms: number) =>
    sql`(select count(*) from emails as earlier where earlier.recipient = ${recipient}
      and earlier.id > ${since(ms)} and earlier.budget = ${budget})`
  return sql`(${count(hourMs)} < ${mailBudget.perHour} and ${count(24 * hourMs)} < ${mailBudget.perDay})`
}

/** What a row is about. Not all of it: a row that can't be read has to be closed too. */
export async function findEmailSubject(db: Db, id: string): Promise<Pick<Email, 'template' | 'userId'> | undefined> {
  const { template, userId } = emails
  const [email] = await db.select({ template, userId }).from(emails).where(eq(emails.id, id))
  return email
}

type EmailChanges = {
  [K in 'status' | 'recipient' | 'linkedAt' | 'lastError' | 'finishedAt']?: Email[K] | SQL
}

/** The link of this mail has not been made yet. */
export function emailHasNoLink(id: string): SQL {
  return sql`exists (select 1 from ${emails} where ${and(eq(emails.id, id), isNull(emails.linkedAt))})`
}

export function updateEmail(db: Db, id: string, changes: EmailChanges, guard: SQL) {
  return db
    .update(emails)
    .set(changes)
    .where(and(eq(emails.id, id), guard))
}

/** A row whose attempts may have been accepted can't be called failed. */
export const failedOrUnknown: SQL = sql`case when ${emails.inDoubtSince} is null then 'failed' else 'unknown' end`

/** Rows that should have been taken up by now and were not; the next look at them is after `now` again. */
export async function postponeStrandedEmails(db: Db, dueBefore: Date, now: Date, limit: number): Promise<string[]> {
  // The index is named, since the one by status would do too and reads all that is open; the condition on the status is
  // word for word the index's own.
  const stranded = sql`select id from emails indexed by emails_due
    where status IN ('queued', 'sending') and due_at <= ${dueBefore.getTime()} order by due_at limit ${limit}`
  const rows = await db
    .update(emails)
    .set({ dueAt: now })
    .where(sql`${emails.id} in (${stranded})`)
    .returning({ id: emails.id })
  return rows.map(({ id }) => id)
}

/** Everything ever mailed to an address, and everything about to be. */
export function deleteEmailsTo(db: Db, recipient: string | SQL, guard: SQL) {
  return db.delete(emails).where(and(eq(emails.recipient, recipient), guard))
}

const openStatuses: EmailStatus[] = ['queued', 'sending']

/** One chunk of the finished rows from before an id. */
export function deleteFinishedEmailsBefore(db: Db, beforeId: string, limit: number) {
  const chunk = db
    .select({ id: emails.id })
    .from(emails)
    .where(and(lt(emails.id, beforeId), notInArray(emails.status, openStatuses)))
    .limit(limit)
  return db.delete(emails).where(inArray(emails.id, chunk))
}
