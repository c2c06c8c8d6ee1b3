/**
 * Which outbox rows a consumer has claimed for delivery, and what it writes down about them. A list is passed as one
 * JSON parameter, because D1 takes at most 100 parameters in a statement.
 */
import { type SQL, and, eq, getTableColumns, gte, isNotNull, isNull, lte, or, sql } from 'drizzle-orm'
import { strandedMs } from '../config/policy.ts'
import { type Db, idList, idParam, unindexed } from './db.ts'
import { announceAtOf, isOpen, isOpenUnindexed, noParams, statusNumber } from './emails.ts'
import { type Email, emails } from './schema/emails.ts'
import { users } from './schema/users.ts'

/** The account of a recipient whose address takes no more email. */
const suppressedUserId = sql<string | null>`(select owner.id from users as owner
  where owner.email = emails.recipient and owner.email_problem is not null)`.mapWith(users.id)

/** What a claim returns: the whole row. The parameters stay text, because they may be unreadable. */
const claimedRow = {
  ...getTableColumns(emails),
  params: sql<string>`${emails.params}`,
  // A claim fills in these three.
  inDoubtSince: sql<Date>`${emails.inDoubtSince}`.mapWith(emails.inDoubtSince),
  batchId: sql<string>`${emails.batchId}`.mapWith(emails.batchId),
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

/** Rows that `claimFreshEmails` leaves: offered before, in a request that may have been accepted, or not due yet. */
export function selectOtherEmails(db: Db, ids: readonly string[], now: Date) {
  const { id, batchId, status, dueAt } = emails
  return db
    .select({ id, batchId, status, dueAt })
    .from(emails)
    .where(
      and(
        sql`${id} in ${idList(ids)}`,
        isOpenUnindexed,
        or(isNotNull(batchId), isNotNull(emails.inDoubtSince), sql`${unindexed(dueAt)} > ${now.getTime()}`),
      ),
    )
}

/**
 * Claims the due rows that were never offered, for one request, in the order of the list. A row that is alone in the
 * list is sent by itself.
 */
export function claimFreshEmails(db: Db, ids: readonly string[], batchId: string, now: Date, claimMs: number) {
  return db
    .update(emails)
    .set({ ...taken(now, claimMs), batchId: ids.length === 1 ? emails.id : batchId, batchPlace: sql`listed.key` })
    .from(sql`json_each(${JSON.stringify(ids)}) as listed`)
    .where(
      and(
        sql`${emails.id} = unhex(listed.value, '-')`,
        sql`${unindexed(emails.status)} = ${statusNumber('queued')}`,
        lte(emails.dueAt, now),
        isNull(emails.batchId),
        isNull(emails.inDoubtSince),
      ),
    )
    .returning(claimedRow)
}

/**
 * Claims all open rows of the request that a row belongs to, or none. If one row were missing, Resend's 409 for the
 * shorter list would be read as "accepted", which it may not have been (rule 3 in `services/mail/delivery.ts`).
 */
export function claimBatch(db: Db, batchId: string, emailId: string, now: Date, claimMs: number) {
  // The rows of a request have one time of announcement, because they only ever get a new one together.
  const isMate = sql`${isOpen} and batch_id = ${idParam(batchId)}
    and announce_at = (select named.announce_at from emails as named where named.id = ${idParam(emailId)})`
  const isNotDue = sql`select 1 from emails as other where ${isMate} and due_at > ${now.getTime()}`
  return db
    .update(emails)
    .set(taken(now, claimMs))
    .where(sql`${isMate} and not exists (${isNotDue})`)
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
  const dueAt = new Date(now.getTime() + claimMs)
  return {
    status: 'sending' as const,
    attempts: sql`${emails.attempts} + 1`,
    dueAt,
    announceAt: announceAtOf(dueAt),
    inDoubtSince: sql`coalesce(${emails.inDoubtSince}, ${now.getTime()})`,
  }
}

/** The columns that settling a claim writes, and those that identify the claim. */
export interface Settlement extends Pick<
  Email,
  | 'id'
  | 'template'
  | 'attempts'
  | 'status'
  | 'userId'
  | 'dueAt'
  | 'inDoubtSince'
  | 'batchId'
  | 'providerId'
  | 'lastError'
  | 'finishedAt'
> {
  /** Whether the row does not have this `userId` yet. */
  isOwnerNew: boolean
  /** The row keeps its recipient without it. */
  recipient?: ''
}

/**
 * Writes down what became of claims, for one batch. Most rows keep their recipient and their account, and have their
 * own statement: it must not name these columns, since SQLite writes an index whenever one of its columns is set. A
 * claim that the caller no longer holds is left alone.
 */
export function settleClaims(db: Db, settlements: readonly Settlement[]) {
  const alike = Map.groupBy(settlements, (each) => `${each.isOwnerNew} ${each.recipient !== undefined}`)
  return Array.from(alike.values(), (list) => settleAlike(db, list))
}

function settleAlike(db: Db, settlements: readonly Settlement[]) {
  const [first] = settlements
  const given = (name: keyof Settlement) => sql`settled.value ->> ${sql.raw(`'${name}'`)}`
  const givenId = (name: keyof Settlement) => sql`unhex(${given(name)}, '-')`
  const list = settlements.map((settlement) => ({
    ...settlement,
    status: emails.status.mapToDriverValue(settlement.status),
    dueAt: settlement.dueAt.getTime(),
    inDoubtSince: settlement.inDoubtSince?.getTime() ?? null,
    finishedAt: settlement.finishedAt?.getTime() ?? null,
  }))
  return db
    .update(emails)
    .set({
      status: given('status'),
      params: sql`case when ${given('status')} in (${statusNumber('sent')}, ${statusNumber('skipped')}) then ${noParams} else ${emails.params} end`,
      dueAt: given('dueAt'),
      announceAt: sql`${given('dueAt')} + ${strandedMs}`,
      inDoubtSince: given('inDoubtSince'),
      batchId: givenId('batchId'),
      // A webhook may have stored it since the claim.
      providerId: sql`coalesce(${given('providerId')}, ${emails.providerId})`,
      lastError: given('lastError'),
      finishedAt: given('finishedAt'),
      ...(first?.isOwnerNew && { userId: givenId('userId') }),
      ...(first?.recipient !== undefined && { recipient: first.recipient }),
    })
    .from(sql`json_each(${JSON.stringify(list)}) as settled`)
    .where(
      and(
        sql`${emails.id} = ${givenId('id')}`,
        sql`${unindexed(emails.status)} = ${statusNumber('sending')}`,
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
