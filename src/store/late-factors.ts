/** The second factors that were added since a moment: those of somebody who took an account over. */
import { type SQL, and, eq, gte, inArray, sql } from 'drizzle-orm'
import { uuidv7Floor } from '../crypto/random.ts'
import { type Db, anyOf, choose, idParam, noneOf } from './db.ts'
import { auditEvents } from './schema/audit.ts'
import { passkeys } from './schema/passkeys.ts'
import { recoveryCodes } from './schema/recovery-codes.ts'
import { totps } from './schema/totps.ts'

/**
 * Deletes passkeys and authenticator apps that are newer, and the recovery codes if some were made since, because a row does
 * not say when. Without a factor there are no codes, either.
 */
export function deleteFactorsSince(db: Db, userId: string, since: Date, guard: SQL) {
  const madeCodes = and(
    eq(auditEvents.userId, userId),
    gte(auditEvents.id, uuidv7Floor(since)),
    inArray(sql`+${auditEvents.type}`, [
      sql.param('user.factor_added', auditEvents.type),
      sql.param('user.recovery_codes_renewed', auditEvents.type),
    ]),
  )
  const areLate = anyOf(sql`exists (select 1 from ${auditEvents} where ${madeCodes})`, noneOf(hasFactors(userId)))
  return {
    latePasskeys: db
      .delete(passkeys)
      .where(and(eq(passkeys.userId, userId), gte(passkeys.id, uuidv7Floor(since)), guard)),
    lateTotp: db.delete(totps).where(and(eq(totps.userId, userId), gte(totps.createdAt, since), guard)),
    lateCodes: db.delete(recoveryCodes).where(and(eq(recoveryCodes.userId, userId), areLate, guard)),
  } as const
}

/** A new `factorsId` while the account has a factor at the moment of writing, otherwise null. */
export function factorsIdNow(userId: string, factorsId: string): SQL {
  return choose(hasFactors(userId), idParam(factorsId), sql`null`)
}

function hasFactors(userId: string): SQL {
  const ofUser = sql`where user_id = ${idParam(userId)}`
  return sql`(exists (select 1 from passkeys ${ofUser}) or exists (select 1 from totps ${ofUser}))`
}
