import { type SQL, and, eq, sql } from 'drizzle-orm'
import { type Db, idParam } from './db.ts'
import { recoveryCodes } from './schema/recovery-codes.ts'

/** Stores new codes by their digests. */
export function insertRecoveryCodes(db: Db, userId: string, digests: readonly string[], guard: SQL) {
  return db
    .insert(recoveryCodes)
    .select(sql`select ${idParam(userId)}, value from json_each(${JSON.stringify(digests)}) where ${guard}`)
    .returning({ digest: recoveryCodes.digest })
}

/** The account still has the code with this digest. */
export function hasRecoveryCode(userId: string, digest: string): SQL {
  return sql`exists (select 1 from ${recoveryCodes} where ${isCode(userId, digest)})`
}

export function deleteRecoveryCode(db: Db, userId: string, digest: string, guard: SQL) {
  return db.delete(recoveryCodes).where(and(isCode(userId, digest), guard))
}

export function deleteRecoveryCodes(db: Db, userId: string, guard: SQL) {
  return db.delete(recoveryCodes).where(and(eq(recoveryCodes.userId, userId), guard))
}

/** A JSON object that also says how many codes the account has at the moment of writing, as `left`. */
export function withCodesLeft(userId: string, object: object): SQL {
  const left = sql`(select count(*) from ${recoveryCodes} where ${eq(recoveryCodes.userId, userId)})`
  return sql`json_set(${JSON.stringify(object)}, '$.left', ${left})`
}

function isCode(userId: string, digest: string) {
  return and(eq(recoveryCodes.userId, userId), eq(recoveryCodes.digest, digest))
}
