import { type SQL, and, eq, lt, sql } from 'drizzle-orm'
import { type Db, insertWhere } from './db.ts'
import { type Totp, totps } from './schema/totps.ts'

/** Stores an authenticator app. It takes the place of the one that the account had. */
export function putTotp(db: Db, totp: Totp, guard: SQL) {
  const { userId: _, ...rest } = totp
  return insertWhere(db, totps, totp, guard).onConflictDoUpdate({ target: totps.userId, set: rest })
}

/** A time step of an authenticator app, as a code of it named it. */
export type TotpUse = Pick<Totp, 'userId' | 'secret'> & { step: number }

/** The account still has this authenticator app, and neither this step nor a later one was used (RFC 6238 §5.2). */
export function hasUnusedStep(use: TotpUse): SQL {
  return sql`exists (select 1 from ${totps} where ${isUnused(use)})`
}

/** Uses a step up. */
export function consumeStep(db: Db, use: TotpUse, now: Date, guard: SQL) {
  return db
    .update(totps)
    .set({ lastStep: use.step, lastUsedAt: now })
    .where(and(isUnused(use), guard))
}

function isUnused({ userId, secret, step }: TotpUse) {
  return and(eq(totps.userId, userId), eq(totps.secret, secret), lt(totps.lastStep, step))
}

/** The account has an authenticator app. */
export function hasTotp(userId: string): SQL {
  return sql`exists (select 1 from ${totps} where ${eq(totps.userId, userId)})`
}

export function deleteTotp(db: Db, userId: string, guard: SQL) {
  return db.delete(totps).where(and(eq(totps.userId, userId), guard))
}
