/**
 * The second factors of an account. Passkeys and an authenticator app are factors; recovery codes only stand in for
 * one.
 */
import { type SQL, eq, sql } from 'drizzle-orm'
import { type BatchRows, batch } from './batch.ts'
import { type Db, idParam } from './db.ts'
import { selectPasskeysOf } from './passkeys.ts'
import { deleteRecoveryCodes } from './recovery-codes.ts'
import { type Passkey, passkeys } from './schema/passkeys.ts'
import { recoveryCodes } from './schema/recovery-codes.ts'
import { type Totp, totps } from './schema/totps.ts'
import { deleteTotp } from './totps.ts'

export interface Factors {
  /** Oldest first. */
  passkeys: Passkey[]
  totp: Totp | null
  /** The digests of the recovery codes that are left. */
  recoveryDigests: string[]
}

/** Reads the factors of a user in a batch, see `factorsIn`. */
export function selectFactors(db: Db, userId: string) {
  return {
    passkeys: selectPasskeysOf(db, userId),
    totp: db.select().from(totps).where(eq(totps.userId, userId)),
    digests: db.select({ digest: recoveryCodes.digest }).from(recoveryCodes).where(eq(recoveryCodes.userId, userId)),
  } as const
}

/** What `selectFactors` found. A user who does not exist has none. */
export function factorsIn({ passkeys, totp, digests }: BatchRows<[ReturnType<typeof selectFactors>]>): Factors {
  return { passkeys, totp: totp[0] ?? null, recoveryDigests: digests.map(({ digest }) => digest) }
}

export async function findFactors(db: Db, userId: string): Promise<Factors> {
  return factorsIn(await batch(db, selectFactors(db, userId)))
}

/** How many passkeys and authenticator apps the account has at the moment of writing. */
function countFactors(userId: string): SQL {
  const own = sql`where user_id = ${idParam(userId)}`
  return sql`((select count(*) from passkeys ${own}) + (select count(*) from totps ${own}))`
}

/** The account has more than one factor, so one of them may be removed. */
export function hasSeveralFactors(userId: string): SQL {
  return sql`${countFactors(userId)} > 1`
}

/** After a removal in the same batch: none is left. */
export function hasLostAll(userId: string): SQL {
  return sql`${countFactors(userId)} = 0`
}

/** After a removal in the same batch: a new `factors_id`, or null if no factor is left. */
export function factorsIdUnlessLost(userId: string, factorsId: string): SQL {
  return sql`case when ${countFactors(userId)} > 0 then ${idParam(factorsId)} end`
}

/** Deletes all second factors of an account, with the recovery codes. */
export function deleteFactors(db: Db, userId: string, guard: SQL) {
  return {
    passkeys: db.delete(passkeys).where(sql`${eq(passkeys.userId, userId)} and ${guard}`),
    totps: deleteTotp(db, userId, guard),
    recoveryCodes: deleteRecoveryCodes(db, userId, guard),
  } as const
}
