/** The second factors that were added since a moment, for an owner who gets an account back from somebody else. */
import { type SQL, and, eq, gte } from 'drizzle-orm'
import { uuidv7Floor } from '../crypto/random.ts'
import { hadEventSince } from './audit.ts'
import { type Db, anyOf } from './db.ts'
import { hasLostAll } from './factors.ts'
import { passkeys } from './schema/passkeys.ts'
import { recoveryCodes } from './schema/recovery-codes.ts'
import { totps } from './schema/totps.ts'

/**
 * Deletes the passkeys and authenticator apps that were added since. All recovery codes go if they were renewed since,
 * because a row does not say when it was made. They also go if no factor is left: they came with the first one.
 */
export function deleteFactorsSince(db: Db, userId: string, since: Date, guard: SQL) {
  const madeCodes = hadEventSince(userId, uuidv7Floor(since), ['user.recovery_codes_renewed'])
  const areLate = anyOf(madeCodes, hasLostAll(userId))
  return {
    latePasskeys: db
      .delete(passkeys)
      .where(and(eq(passkeys.userId, userId), gte(passkeys.id, uuidv7Floor(since)), guard)),
    lateTotp: db.delete(totps).where(and(eq(totps.userId, userId), gte(totps.createdAt, since), guard)),
    lateCodes: db.delete(recoveryCodes).where(and(eq(recoveryCodes.userId, userId), areLate, guard)),
  } as const
}
