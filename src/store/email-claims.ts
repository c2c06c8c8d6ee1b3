/**
 * Which outbox rows a consumer holds for delivery, and what it writes down about them. Lists travel as one JSON
 * parameter each: D1 takes at most 100 parameters in a statement.
 */
import { type SQL, and, eq, getTableColumns, gte, inArray, isNotNull, isNull, lte, or, sql } from 'drizzle-orm'
import { type Db, unindexed } from './db.ts'
import { type Email, emails } from './schema.ts'

/** Whose address takes no mail any more. */
const suppressedUserId = sql<string | null>`(select owner.id from users as owner
  where owner.email = emails.recipient and owner.email_problem is not null)`

/** What a claim gives: the whole row, with the parameters as the text that they are kept as. One may be unreadable. */
const claimedRow = {
  ...getTableColumns(emails),
  params: sql<string>`${emails.params}`,
  suppressedUserId: suppressedUserId.as('suppressed_user_id'),
}
export type ClaimedEmail = Omit<Email, 'params'> & { params: string; suppressedUserId: string | null }

/** Word for word as in the partial indexes, which a bound parameter would not match. */
const isOpen = sql`status IN ('queued', 'sending')`

/** Rows that were offered to the provider before, in a request that may have been accepted. */
export function selectOfferedEmails(db: Db, ids: readonly string[]) {
  const { id, batchId, status, dueAt } = emails
  return db
    .select({ id, batchId, status, dueAt })
    .from(emails)
    .where(
      and(
        sql`${id} in (select value from json_each(${JSON.stringify(ids)}))`,
        isOpen,
        or(isNotNull(batchId), isNotNull(emails.inDoubtSince)),
      ),
    )
}

/**
 * Takes the rows that were never offered, for one request together, in the order of the list. A row that is alone in
 * the list goes by itself.
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
        isNull(emails.batchId),
        isNull(emails.inDoubtSince),
      ),
    )
    .returning(claimedRow)
}

/**
 * Takes all the open rows of a request again, or none. They are finished and put off together, so they are due together;
 * were one of them not, the others would be a shorter list, and the conflict of the whole list would pass for its mail.
 */
export function claimBatch(db: Db, batchId: string, now: Date, claimMs: number) {
  const isNotDue = and(sql`other.batch_id = ${batchId}`, isOpen, sql`other.due_at > ${now.getTime()}`)
  return db
    .update(emails)
    .set(taken(now, claimMs))
    .where(and(eq(emails.batchId, batchId), isOpen, sql`not exists (select 1 from emails as other where ${isNotDue})`))
    .returning(claimedRow)
}

/** Takes a row again that went by itself. */
export function claimSingleEmail(db: Db, id: string, now: Date, claimMs: number) {
  return db
    .update(emails)
    .set({ ...taken(now, claimMs), batchId: id, batchPlace: 0 })
    .where(
      and(
        eq(emails.id, id),
        or(eq(emails.status, 'queued'), and(eq(emails.status, 'sending'), lte(emails.dueAt, now))),
      ),
    )
    .returning(claimedRow)
}

/** A claim that nobody finished lapses at `dueAt`, and its fate is in doubt from the first one on. */
function taken(now: Date, claimMs: number) {
  return {
    status: 'sending' as const,
    attempts: sql`${emails.attempts} + 1`,
    dueAt: new Date(now.getTime() + claimMs),
    inDoubtSince: sql`coalesce(${emails.inDoubtSince}, ${now.getTime()})`,
  }
}

/** What becomes of a claim. */
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

/** Writes down what became of claims, of each that the caller still holds, in one statement. */
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
      // A webhook may have told it since the claim.
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

/** A row is still in the claim that the caller holds. */
export function emailIsClaimed({ id, attempts }: Pick<Email, 'id' | 'attempts'>): SQL {
  const inClaim = and(eq(emails.id, id), eq(emails.status, 'sending'), eq(emails.attempts, attempts))
  return sql`exists (select 1 from ${emails} where ${inClaim})`
}

/** A row is not finished and has had all its tries: what a dead letter may close. */
export function emailIsUsedUp(id: string, maxAttempts: number): SQL {
  const isUsedUp = and(
    eq(emails.id, id),
    inArray(emails.status, ['queued', 'sending']),
    gte(emails.attempts, maxAttempts),
  )
  return sql`exists (select 1 from ${emails} where ${isUsedUp})`
}
