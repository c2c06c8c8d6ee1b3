import { type SQL, and, asc, eq, getTableColumns, ne, sql } from 'drizzle-orm'
import { challengeMs, maxUsedChallenges } from '../config/policy.ts'
import { timeOf, uuidv7Floor } from '../crypto/random.ts'
import { type Db, insertWhere } from './db.ts'
import { type Passkey, passkeys } from './schema/passkeys.ts'
import { users } from './schema/users.ts'

const { passwordHash: _, ...userColumns } = getTableColumns(users)

/** The passkey with a credential id, and its user. */
export function selectPasskeyAndUser(db: Db, credentialId: Uint8Array<ArrayBuffer>) {
  return db
    .select({ passkey: passkeys, user: userColumns })
    .from(passkeys)
    .innerJoin(users, eq(users.id, passkeys.userId))
    .where(eq(passkeys.credentialId, credentialId))
}

/** The passkeys of a user, oldest first. */
export function selectPasskeysOf(db: Db, userId: string) {
  return db.select().from(passkeys).where(eq(passkeys.userId, userId)).orderBy(asc(passkeys.id))
}

/** No account has a passkey with this credential id. */
export function isNewCredential(credentialId: Uint8Array<ArrayBuffer>): SQL {
  return sql`not exists (select 1 from ${passkeys} where ${eq(passkeys.credentialId, credentialId)})`
}

export function hasFewerPasskeys(userId: string, max: number): SQL {
  return sql`(select count(*) from ${passkeys} where ${eq(passkeys.userId, userId)}) < ${max}`
}

export function insertPasskey(db: Db, passkey: Passkey, guard: SQL) {
  return insertWhere(db, passkeys, passkey, guard)
}

/** A passkey and its user: the id in a request may be that of somebody else's passkey. */
export type OwnPasskey = Pick<Passkey, 'id' | 'userId'>

export function hasPasskey(own: OwnPasskey): SQL {
  return sql`exists (select 1 from ${passkeys} where ${isOwn(own)})`
}

/** The passkey is there, and has another name. */
export function hasOtherName(own: OwnPasskey, name: string): SQL {
  return sql`exists (select 1 from ${passkeys} where ${and(isOwn(own), ne(passkeys.name, name))})`
}

export function renamePasskeyOf(db: Db, own: OwnPasskey, name: string, guard: SQL) {
  return db
    .update(passkeys)
    .set({ name })
    .where(and(isOwn(own), guard))
}

export function selectOwnPasskey(db: Db, own: OwnPasskey) {
  return db.select().from(passkeys).where(isOwn(own))
}

export function deletePasskey(db: Db, own: OwnPasskey, guard: SQL) {
  return db.delete(passkeys).where(and(isOwn(own), guard))
}

function isOwn({ id, userId }: OwnPasskey) {
  return and(eq(passkeys.id, id), eq(passkeys.userId, userId))
}

/** A verified assertion. A passkey may answer each challenge once. */
export interface PasskeyUse {
  passkey: Pick<Passkey, 'id' | 'userId' | 'publicKey'>
  challengeId: string
  signCount: number
  isBackedUp: boolean
  at: Date
}

/**
 * The passkey is still there, with the key that was verified, has not answered this challenge before, and has answered
 * fewer than `maxUsedChallenges` in five minutes. The row keeps the challenges of the five minutes before its last use.
 * An older one loses: nobody could tell whether it was used.
 */
export function isUnused({ passkey, challengeId, at }: PasskeyUse): SQL {
  const { id, userId, publicKey } = passkey
  const oldestMs = timeOf(challengeId).getTime() + challengeMs
  const used = sql`json_each(${passkeys.usedChallenges})`
  const condition = and(
    eq(passkeys.id, id),
    eq(passkeys.userId, userId),
    eq(passkeys.publicKey, publicKey),
    sql`coalesce(${passkeys.lastUsedAt}, 0) <= ${oldestMs}`,
    sql`not exists (select 1 from ${used} where value = ${challengeId})`,
    sql`(select count(*) from ${used} where value >= ${floorOf(at)}) < ${maxUsedChallenges}`,
  )
  return sql`exists (select 1 from ${passkeys} where ${condition})`
}

/** Records the use of a passkey. */
export function recordUse(db: Db, { passkey, challengeId, signCount, isBackedUp, at }: PasskeyUse, guard: SQL) {
  const lastUsedMs = sql`max(coalesce(${passkeys.lastUsedAt}, 0), ${at.getTime()})`
  const kept = sql`select value from json_each(${passkeys.usedChallenges}) where value >= ${floorOf(at)}`
  return db
    .update(passkeys)
    .set({
      usedChallenges: sql`(select json_group_array(value) from (${kept} union all select ${challengeId}))`,
      signCount: sql`max(${passkeys.signCount}, ${signCount})`,
      isBackedUp,
      lastUsedAt: lastUsedMs,
    })
    .where(and(eq(passkeys.id, passkey.id), guard))
}

/** The id of the oldest challenge that may be answered at a moment. */
function floorOf(now: Date): string {
  return uuidv7Floor(new Date(now.getTime() - challengeMs))
}
