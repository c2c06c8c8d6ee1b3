/** Password hashes, each in its turn: see hash-queue.ts. */
import type { Ctx } from '../../context.ts'
import { type PasswordVerdict, type StoredHash, hashPassword, verifyPassword } from '../../crypto/password.ts'
import { type CountedAttempt, giveBackAttempt } from '../../store/attempts.ts'
import { batch } from '../../store/batch.ts'
import { inTurn } from './hash-queue.ts'

/** @throws {AppError} as `inTurn` */
export function hashInTurn(ctx: Ctx, password: string): Promise<StoredHash> {
  return inTurn(ctx, (pause) => hashPassword(password, ctx.work, ctx.secrets.peppers, pause))
}

export interface AttemptVerdict extends PasswordVerdict {
  /** Replaces the stored one, when that needs a rehash. */
  newHash: StoredHash | undefined
}

/**
 * Verifies the password of an attempt that was counted. Without a verdict the attempt is given back: nobody has learnt
 * whether the password is right.
 *
 * @param rehashes whether a hash that needs it is made anew in the same turn
 * @throws {AppError} as `inTurn`
 */
export async function verifyAttempt(
  ctx: Ctx,
  attempt: CountedAttempt,
  password: string,
  stored: StoredHash | null,
  rehashes = false,
): Promise<AttemptVerdict> {
  const { work, secrets } = ctx
  try {
    return await inTurn(ctx, async (pause) => {
      const verdict = await verifyPassword(password, stored, work, secrets.peppers, pause)
      const isDue = rehashes && verdict.needsRehash
      return { ...verdict, newHash: isDue ? await hashPassword(password, work, secrets.peppers, pause) : undefined }
    })
  } catch (error) {
    await batch(ctx.db, giveBackAttempt(ctx.db, attempt, ctx.now()))
    throw error
  }
}
