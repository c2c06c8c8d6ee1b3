/** Requests for another address, and changes that can still be undone. An account has one row at most. */
import { type SQL, and, eq, gt, isNotNull, isNull, ne, or, sql } from 'drizzle-orm'
import { hadEventSince } from './audit.ts'
import { type Db, allOf, anyOf, idList, idParam, insertWhere, noneOf } from './db.ts'
import { type EmailChange, emailChanges } from './schema/email-changes.ts'
import { users } from './schema/users.ts'
import { userExists } from './user-conditions.ts'
import type { UserChanges } from './users.ts'

type Request = Pick<EmailChange, 'userId' | 'linkId' | 'newEmail' | 'oldEmail' | 'passwordId' | 'factorsId'> &
  Pick<EmailChange, 'expiresAt' | 'revertUntil'>

/**
 * Stores a request in place of an earlier one, whose link to the new address ends. Its links to the old address stay
 * valid, and undoing still ends the factors since the first request: otherwise somebody could ask again and again until
 * it is too late to end the factors that they added.
 */
export function storeEmailChange(db: Db, request: Request, now: Date, guard: SQL) {
  const { firstLinkId, linkId, appliedAt, revertUntil } = emailChanges
  const goesOn = and(isNull(appliedAt), gt(revertUntil, now))
  const given = (column: string) => sql.raw(`excluded.${column}`)
  return insertWhere(db, emailChanges, { ...request, firstLinkId: null, appliedAt: null }, guard).onConflictDoUpdate({
    target: emailChanges.userId,
    set: {
      firstLinkId: sql`case when ${goesOn} then coalesce(${firstLinkId}, ${linkId}) end`,
      linkId: given('link_id'),
      newEmail: given('new_email'),
      oldEmail: given('old_email'),
      passwordId: given('password_id'),
      factorsId: given('factors_id'),
      expiresAt: given('expires_at'),
      revertUntil: given('revert_until'),
      appliedAt: null,
    },
  })
}

/** The changes of these accounts, for a batch. */
export function selectEmailChanges(db: Db, userIds: readonly string[]) {
  return db
    .select()
    .from(emailChanges)
    .where(sql`${emailChanges.userId} in ${idList(userIds)}`)
}

/** After these, a request is void. An account that gets its first factor and loses it again has the old `factorsId`. */
const voiding = ['user.factor_added', 'user.factor_removed', 'user.factors_reset'] as const

/** The request is the account's newest, is not applied, and address, password and factors are as they were. */
export function isPendingChange({ userId, linkId }: Pick<EmailChange, 'userId' | 'linkId'>, now: Date): SQL {
  const isSame = and(
    eq(users.id, emailChanges.userId),
    eq(users.status, 'active'),
    eq(users.email, emailChanges.oldEmail),
    sql`coalesce(${users.passwordId}, ${users.id}) = ${emailChanges.passwordId}`,
    sql`${users.factorsId} is ${emailChanges.factorsId}`,
  )
  const isPending = and(
    eq(emailChanges.userId, userId),
    eq(emailChanges.linkId, linkId),
    isNull(emailChanges.appliedAt),
    gt(emailChanges.expiresAt, now),
  )
  return allOf(
    sql`exists (select 1 from ${emailChanges} inner join ${users} on ${isSame} where ${isPending})`,
    noneOf(hadEventSince(userId, linkId, voiding)),
  )
}

/** The account's last change is applied and can still be undone, so there is no further one. */
export function hasRecentChange(userId: string, now: Date): SQL {
  return sql`exists (select 1 from ${emailChanges} where ${and(eq(emailChanges.userId, userId), isReserving(now))})`
}

/** The address is the old one of an account that may get it back: it counts as taken. */
export function isReserved(email: string, now: Date): SQL {
  return sql`exists (select 1 from ${emailChanges} where ${and(eq(emailChanges.oldEmail, email), isReserving(now))})`
}

/** The changes whose old address counts as taken, among these addresses, for a batch. */
export function selectReservations(db: Db, addresses: readonly string[], now: Date) {
  return db
    .select({ userId: emailChanges.userId, oldEmail: emailChanges.oldEmail })
    .from(emailChanges)
    .where(
      and(
        sql`${emailChanges.oldEmail} in (select value from json_each(${JSON.stringify(addresses)}))`,
        isReserving(now),
      ),
    )
}

function isReserving(now: Date) {
  return and(isNotNull(emailChanges.appliedAt), gt(emailChanges.revertUntil, now))
}

/**
 * No account has the address, and none may get it back. A pending account does not count: anybody can register any
 * address, and must not keep its owner from it.
 */
export function isFree(email: string, now: Date): SQL {
  return noneOf(sql`(${or(isTaken(sql`${email}`), isReserved(email, now))})`)
}

function isTaken(email: SQL): SQL {
  return sql`exists (select 1 from ${users} where ${and(eq(users.email, email), ne(users.status, 'pending'))})`
}

/** Marks the change as applied. The owner of the old address can undo it until `revertUntil`. */
export function applyEmailChange(db: Db, userId: string, times: { appliedAt: Date; revertUntil: Date }, guard: SQL) {
  return db
    .update(emailChanges)
    .set(times)
    .where(and(eq(emailChanges.userId, userId), guard))
}

/** The first change of the address is the one that counts: see `emailChangedAt`. */
export function changedEmail(at: Date): UserChanges {
  return { emailChangedAt: sql`coalesce(${users.emailChangedAt}, ${at.getTime()})` }
}

/** The last change is undone. If it was the first, the account has again the address that it was registered with. */
export function unchangedEmail(userId: string): UserChanges {
  const appliedAt = sql`(select applied_at from email_changes where user_id = ${idParam(userId)})`
  return { emailChangedAt: sql`nullif(${users.emailChangedAt}, ${appliedAt})` }
}

/** The link to the new address ends. Those to the old one go on. */
export function voidEmailChange(db: Db, userId: string, at: Date, guard: SQL) {
  return db
    .update(emailChanges)
    .set({ expiresAt: at })
    .where(and(eq(emailChanges.userId, userId), gt(emailChanges.expiresAt, at), guard))
}

/** The addresses of an account's change, looked up at the moment of writing. */
export function oldEmailOf(userId: string): SQL {
  return sql`(select old_email from email_changes where user_id = ${idParam(userId)})`
}

export function newEmailOf(userId: string): SQL {
  return sql`(select new_email from email_changes where user_id = ${idParam(userId)})`
}

/** The requests that began with this one can still be undone, whether or not the last one is applied. */
export function canRevert(userId: string, firstLinkId: string, now: Date): SQL {
  const isNamed = sql`coalesce(${emailChanges.firstLinkId}, ${emailChanges.linkId}) = ${idParam(firstLinkId)}`
  return sql`exists (select 1 from ${emailChanges}
    where ${and(eq(emailChanges.userId, userId), isNamed, gt(emailChanges.revertUntil, now))})`
}

/** The new address is that of the account, or of nobody: not of an account that has nothing to do with the change. */
export function newEmailIsNobodyElses(userId: string): SQL {
  return allOf(
    sql`${newEmailOf(userId)} <> ${oldEmailOf(userId)}`,
    anyOf(userExists(userId, sql`${users.email} = ${newEmailOf(userId)}`), noneOf(isTaken(newEmailOf(userId)))),
  )
}

export function deleteEmailChange(db: Db, userId: string, guard: SQL) {
  return db.delete(emailChanges).where(and(eq(emailChanges.userId, userId), guard))
}
