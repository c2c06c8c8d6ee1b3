import { type SQL, and, eq, gte, isNull, ne, sql } from 'drizzle-orm'
import { mailBudget, strandedMs } from '../config/policy.ts'
import { timeOf, uuidv7Floor } from '../crypto/random.ts'
import { dayMs, hourMs } from '../durations.ts'
import { type Db, type Expression, allOf, always, idList, insertWhere } from './db.ts'
import { type Email, type EmailParams, type EmailStatus, emails } from './schema/emails.ts'

/**
 * A row that is not stored yet. The database may compute recipient, budget and parameters. Every email has a budget.
 */
export type NewEmail = Omit<Email, 'recipient' | 'budget' | 'params'> & {
  params: EmailParams | Expression
  recipient: string | Expression
  budget: string | Expression
}

/**
 * Inserts an email if the guard holds and its budget is not used up. No other function inserts one, so no caller can
 * forget the budget.
 */
export function insertEmail(db: Db, email: NewEmail, guard: Expression = always) {
  return insertWhere(db, emails, email, allOf(guard, mailBudgetLeft(email))).returning({ id: emails.id })
}

/**
 * The budget of the email is not used up at its recipient. Exact, because the insert that it guards does the counting.
 * Also for the guard of a whole batch that does nothing over the budget.
 */
export function mailBudgetLeft({ id, recipient, budget }: Pick<NewEmail, 'id' | 'recipient' | 'budget'>): Expression {
  const since = (ms: number) => sql.param(uuidv7Floor(new Date(timeOf(id).getTime() - ms)), emails.id)
  const count = (ms: number) =>
    sql`(select count(*) from emails as earlier where earlier.recipient = ${recipient} and earlier.recipient <> ''
      and earlier.id > ${since(ms)} and earlier.budget = ${budget})`
  return sql`(${count(hourMs)} < ${mailBudget.perHour} and ${count(dayMs)} < ${mailBudget.perDay})`
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

/** The outbox has this email. */
export function emailIsStored(id: string): SQL {
  return sql`exists (select 1 from ${emails} where ${eq(emails.id, id)})`
}

/** The emails of a kind about a user since a moment, for a batch. */
export function selectEmailsSince(db: Db, userId: string, template: string, since: Date) {
  return db
    .select({ id: emails.id })
    .from(emails)
    .where(and(eq(emails.userId, userId), gte(emails.id, uuidv7Floor(since)), eq(emails.template, template)))
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

/** A status as D1 stores it, for SQL that is written by hand. */
export function statusNumber(status: EmailStatus) {
  return sql.param(status, emails.status)
}

/** A row that may have been accepted is `unknown` and not `failed`. */
export const failedOrUnknown: SQL = sql`case when ${emails.inDoubtSince} is null
  then ${statusNumber('failed')} else ${statusNumber('unknown')} end`

/** What is left of the parameters of an email that has arrived at the provider or will never be sent. */
export const noParams: SQL = sql`'{}'`

/** Queued or sending: the condition of the index `emails_open`, which SQLite does not use for one with a parameter. */
export const isOpen: SQL = sql`status <= 1`

/** The same, where another index is better. */
export const isOpenUnindexed: SQL = sql`+${isOpen}`

/** Neither open nor sent: the condition of the index `emails_status`. */
export const isEndedUnsent: SQL = sql`status > 2`

/** A row that nobody has taken up this long after it was due was lost on the way to the queue. */
export function announceAtOf(dueAt: Date): Date {
  return new Date(dueAt.getTime() + strandedMs)
}

/**
 * Some open rows that are to be sent to the queue again, the longest waiting first: up to `limit`, and the rest of the
 * request that the last one belongs to.
 */
export async function findStrandedEmails(db: Db, now: Date, limit: number): Promise<string[]> {
  const stranded = (columns: SQL, chosen: SQL) => sql`select ${columns} from emails indexed by emails_open
    where ${isOpen} and announce_at <= ${now.getTime()} order by announce_at, batch_id, status, due_at, id ${chosen}`
  const rows = await db
    .select({ id: emails.id })
    .from(emails)
    .where(
      sql`${emails.id} in (select id from (${stranded(sql`id`, sql`limit ${limit}`)})
        union select mate.id from (${stranded(sql`announce_at, batch_id`, sql`limit 1 offset ${limit - 1}`)}) as last
          cross join emails as mate indexed by emails_open on mate.announce_at = last.announce_at
            and mate.batch_id = last.batch_id and mate.status <= 1)`,
    )
    .orderBy(emails.announceAt, emails.id)
  return rows.map(({ id }) => id)
}

/** Notes that rows were sent to the queue again. A row that was taken up since is left alone. */
export async function postponeAnnouncement(db: Db, ids: readonly string[], now: Date, until: Date): Promise<void> {
  await db
    .update(emails)
    .set({ announceAt: until })
    .where(and(sql`${emails.id} in ${idList(ids)}`, isOpen, sql`+announce_at <= ${now.getTime()}`))
}

/** Deletes every email to an address, sent or not. */
export function deleteEmailsTo(db: Db, recipient: string | SQL, guard: SQL) {
  return db.delete(emails).where(and(eq(emails.recipient, recipient), ne(emails.recipient, sql`''`), guard))
}

/** Deletes every email about an account, sent or not, whatever its address was then. */
export function deleteEmailsAbout(db: Db, userId: string, guard: SQL) {
  return db.delete(emails).where(and(eq(emails.userId, userId), guard))
}
