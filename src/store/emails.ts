import { type SQL, and, eq, inArray, isNull, lt, notInArray, sql } from 'drizzle-orm'
import { mailBudget } from '../config/policy.ts'
import { uuidv7Floor } from '../crypto/random.ts'
import { type Db, type Expression, allOf, always, insertWhere } from './db.ts'
import { type Email, type EmailStatus, emails } from './schema/emails.ts'

/** A row that is not stored yet. Its recipient and its budget may be computed by the database. Every email has a budget. */
export type NewEmail = Omit<Email, 'recipient' | 'budget'> & {
  recipient: string | Expression
  budget: string | Expression
}

const hourMs = 60 * 60 * 1000

/** Inserts an email if the guard holds and its budget is not used up. There is no other way, so no caller can forget it. */
export function insertEmail(db: Db, email: NewEmail, guard: Expression = always) {
  return insertWhere(db, emails, email, allOf(guard, mailBudgetLeft(email))).returning({ id: emails.id })
}

/**
 * The budget of the email is not used up at its recipient. Exact, because the insert that it guards does the counting. Also
 * for the guard of a whole batch that does nothing over the budget.
 */
export function mailBudgetLeft({
  recipient,
  budget,
  createdAt,
}: Pick<NewEmail, 'recipient' | 'budget' | 'createdAt'>): Expression {
  const since = (ms: number) => uuidv7Floor(new Date(createdAt.getTime() - ms))
  const count = (ms: number) =>
    sql`(select count(*) from emails as earlier where earlier.recipient = ${recipient}
      and earlier.id > ${since(ms)} and earlier.budget = ${budget})`
  return sql`(${count(hourMs)} < ${mailBudget.perHour} and ${count(24 * hourMs)} < ${mailBudget.perDay})`
}

/** What a row is about, without its parameters: a row whose parameters are unreadable has to be closed too. */
export async function findEmailSubject(db: Db, id: string): Promise<Pick<Email, 'template' | 'userId'> | undefined> {
  const { template, userId } = emails
  const [email] = await db.select({ template, userId }).from(emails).where(eq(emails.id, id))
  return email
}

type EmailChanges = {
  [K in 'status' | 'recipient' | 'linkedAt' | 'lastError' | 'finishedAt']?: Email[K] | SQL
}

/** The link of this email has not been made yet. */
export function emailHasNoLink(id: string): SQL {
  return sql`exists (select 1 from ${emails} where ${and(eq(emails.id, id), isNull(emails.linkedAt))})`
}

export function updateEmail(db: Db, id: string, changes: EmailChanges, guard: SQL) {
  return db
    .update(emails)
    .set(changes)
    .where(and(eq(emails.id, id), guard))
}

/** A row that may have been accepted is `unknown` and not `failed`. */
export const failedOrUnknown: SQL = sql`case when ${emails.inDoubtSince} is null then 'failed' else 'unknown' end`

/** Takes rows that are overdue, and makes them due at `now`, so that the next run does not take them again at once. */
export async function postponeStrandedEmails(db: Db, dueBefore: Date, now: Date, limit: number): Promise<string[]> {
  // Names the index: SQLite might take the one by status, and read every open row. The condition on the status has to be
  // word for word that of the partial index.
  const stranded = sql`select id from emails indexed by emails_due
    where status IN ('queued', 'sending') and due_at <= ${dueBefore.getTime()} order by due_at limit ${limit}`
  const rows = await db
    .update(emails)
    .set({ dueAt: now })
    .where(sql`${emails.id} in (${stranded})`)
    .returning({ id: emails.id })
  return rows.map(({ id }) => id)
}

/** Deletes every email to an address, sent or not. */
export function deleteEmailsTo(db: Db, recipient: string | SQL, guard: SQL) {
  return db.delete(emails).where(and(eq(emails.recipient, recipient), guard))
}

const openStatuses: EmailStatus[] = ['queued', 'sending']

/** Deletes one chunk of the finished rows from before an id. */
export function deleteFinishedEmailsBefore(db: Db, beforeId: string, limit: number) {
  const chunk = db
    .select({ id: emails.id })
    .from(emails)
    .where(and(lt(emails.id, beforeId), notInArray(emails.status, openStatuses)))
    .limit(limit)
  return db.delete(emails).where(inArray(emails.id, chunk))
}
