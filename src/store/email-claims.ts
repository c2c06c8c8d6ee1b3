/**
 * Which outbox rows a consumer has claimed for delivery, and what it writes down about them. A list is passed as one JSON
 * parameter, because D1 takes at most 100 parameters in a statement.
 */
import { type SQL, and, eq, getTableColumns, gte, isNotNull, isNull, lte, or, sql } from 'drizzle-orm'
import { type Db, unindexed } from './db.ts'
import { type Email, emails } from './schema/emails.ts'

/** The account of a recipient whose address takes no more email. */
const suppressedUserId = sql<string | null>`(select owner.id from users as owner
  where owner.email = emails.recipient and owner.email_problem is not null)`

/** What a claim returns: the whole row. The parameters stay text, because they may be unreadable. */
const claimedRow = {
  ...getTableColumns(emails),
  params: sql<string>`${emails.params}`,
  // A claim fills in these three.
  inDoubtSince: sql<Date>`${emails.inDoubtSince}`.mapWith(emails.inDoubtSince),
  batchId: sql<string>`${emails.batchId}`,
  batchPlace: sql<number>`${emails.batchPlace}`,
  suppressedUserId: suppressedUserId.as('suppressed_user_id'),
}

type Claimed = 'params' | 'inDoubtSince' | 'batchId' | 'batchPlace'

export type ClaimedEmail = Omit<Email, Claimed> & {
  params: string
  inDoubtSince: Date
  batchId: string
  batchPlace: number
  suppressedUserId: string | null
}

export type OtherEmail = Pick<Email, 'id' | 'batchId' | 'status' | 'dueAt'>

/** In the words of the partial indexes: with a bound parameter, SQLite would not use them. */
const isOpen = sql`status IN ('queued', 'sending')`

/** Rows that `claimFreshEmails` leaves: offered before, in a request that may have been accepted, or not due yet. */
export function selectOtherEmails(db: Db, ids: readonly string[], now: Date) {
  const { id, batchId, status, dueAt } = emails
  return db
    .select({ id, batchId, status, dueAt })
    .from(emails)
    .where(
      and(
        sql`${id} in (select value from json_each(${JSON.stringify(ids)}))`,
        isOpen,
        or(isNotNull(batchId), isNotNull(emails.inDoubtSince), sql`${unindexed(dueAt)} > ${now.getTime()}`),
      ),
    )
}

/**
 * Claims the due rows that were never offered, for one request, in the order of the list. A row that is alone in the list
 * is sent by itself.
 */
export function claimFreshEmails(db: Db, ids: readonly string[], batchId: string, now: Date, claimMs: number) {
  return db
    .update(emails)
    .set({ ...taken(now, claimMs), batchId: ids.length === 1 ? emails.id : batchId, batchPlace: sql`listed.key` })
    .from(sql`json_each(${JSON.stringify(ids)}) as listed`)
    .where(
      and(
        sql`${emails.id} = listed.value`,
        sql`${unindexed(emails.status)} = 'queued'`,
        sql`${unindexed(emails.dueAt)} <= ${now.getTime()}`,
        isNull(emails.batchId),
        isNull(emails.inDoubtSince),
      ),
    )
    .returning(claimedRow)
}

/**
 * Claims all open rows of a request again, or none. If one row were missing, Resend's 409 for the shorter list would be
 * read as "accepted", which it may not have been (rule 3 in `services/mail/delivery.ts`).
 */
export function claimBatch(db: Db, batchId: string, now: Date, claimMs: number) {
  const isNotDue = and(sql`other.batch_id = ${batchId}`, isOpen, sql`other.due_at > ${now.getTime()}`)
  return db
    .update(emails)
    .set(taken(now, claimMs))
    .where(and(eq(emails.batchId, batchId), isOpen, sql`not exists (select 1 from emails as other where ${isNotDue})`))
    .returning(claimedRow)
}

/** Claims a row again that was sent by itself, if it is due. */
export function claimSingleEmail(db: Db, id: string, now: Date, claimMs: number) {
  return db
    .update(emails)
    .set({ ...taken(now, claimMs), batchId: id, batchPlace: 0 })
    .where(and(eq(emails.id, id), isOpen, lte(emails.dueAt, now)))
    .returning(claimedRow)
}

/** A claim lapses at `dueAt` unless it is settled before. From the first claim on, the email may have been accepted. */
function taken(now: Date, claimMs: number) {
  return {
    status: 'sending' as const,
    attempts: sql`${emails.attempts} + 1`,
    dueAt: new Date(now.getTime() + claimMs),
    inDoubtSince: sql`coalesce(${emails.inDoubtSince}, ${now.getTime()})`,
  }
}

/** The columns that settling a claim writes, and those that identify the claim. */
export type Settlement = Pick<
  Email,
  | 'id'
  | 'template'
  | 'attempts'
  | 'status'
  | 'recipient'
  | 'userId'
  | 'dueAt'
  | 'inDoubtSince'
  | 'batchId'
  | 'providerId'
  | 'lastError'
  | 'finishedAt'
>

/** Writes down what became of claims, in one statement. A claim that the caller no longer holds is left alone. */
export function settleClaims(db: Db, settlements: readonly Settlement[]) {
  const given = (name: keyof Settlement) => sql`settled.value ->> ${sql.raw(`'${name}'`)}`
  const list = settlements.map((settlement) => ({
    ...settlement,
    dueAt: settlement.dueAt.getTime(),
    inDoubtSince: settlement.inDoubtSince?.getTime() ?? null,
    finishedAt: settlement.finishedAt?.getTime() ?? null,
  }))
  return db
    .update(emails)
    .set({
      status: given('status'),
      recipient: given('recipient'),
      userId: given('userId'),
      dueAt: given('dueAt'),
      inDoubtSince: given('inDoubtSince'),
      batchId: given('batchId'),
      // A webhook may have stored it since the claim.
      providerId: sql`coalesce(${given('providerId')}, ${emails.providerId})`,
      lastError: given('lastError'),
      finishedAt: given('finishedAt'),
    })
    .from(sql`json_each(${JSON.stringify(list)}) as settled`)
    .where(
      and(
        sql`${emails.id} = ${given('id')}`,
        sql`${unindexed(emails.status)} = 'sending'`,
        sql`${emails.attempts} = ${given('attempts')}`,
      ),
    )
}

/** The caller still holds this claim of the row. */
export function emailIsClaimed({ id, attempts }: Pick<Email, 'id' | 'attempts'>): SQL {
  const inClaim = and(eq(emails.id, id), eq(emails.status, 'sending'), eq(emails.attempts, attempts))
  return sql`exists (select 1 from ${emails} where ${inClaim})`
}

/** The row is not finished and has no tries left, and its last try is over. */
export function emailIsUsedUp(id: string, maxTries: number, now: Date): SQL {
  const hasLapsed = or(eq(emails.status, 'queued'), and(eq(emails.status, 'sending'), lte(emails.dueAt, now)))
  return sql`exists (select 1 from ${emails} where ${and(eq(emails.id, id), hasLapsed, gte(emails.attempts, maxTries))})`
}
