import type { Ctx } from '../../context.ts'
import { accessTokenSeconds } from '../../crypto/tokens.ts'
import { unavailable } from '../../errors.ts'
import { describeError, log } from '../../log.ts'
import { insertRevocation, isRevoked } from '../../store/revocations.ts'
import type { EndedSession } from '../../store/sessions.ts'

const attempts = 3
/** KV takes one write a second for each key. */
const pauseMs = 1000

/** Puts ended sessions on the revocation list, after the answer: D1 has ended them already. */
export function revoke(ctx: Ctx, ended: readonly EndedSession[]): void {
  for (const session of ended) ctx.defer(revokeOne(ctx, session))
}

async function revokeOne(ctx: Ctx, { id, expiresAt }: EndedSession): Promise<void> {
  // Its last access token may outlive a session that was near its end.
  const lifeSeconds = Math.max((expiresAt.getTime() - ctx.now().getTime()) / 1000, accessTokenSeconds)
  for (let attempt = 1; attempt <= attempts; attempt++) {
    try {
      await insertRevocation(ctx.revocations, id, lifeSeconds)
      return
    } catch (error) {
      log('warn', 'revocation.write_failed', { session_id: id, attempt, ...describeError(error) })
      if (attempt < attempts) await ctx.sleep(pauseMs)
    }
  }
}

/** @throws {AppError} `service_unavailable` when the list cannot be read: no answer is not a yes. */
export async function isSessionRevoked(ctx: Ctx, sessionId: string): Promise<boolean> {
  try {
    return await isRevoked(ctx.revocations, sessionId)
  } catch (error) {
    throw unavailable('kv', error)
  }
}

/** For a refresh, where D1 decides anyway: the list only turns dead tokens away early. */
export async function isKnownToBeRevoked(ctx: Ctx, sessionId: string): Promise<boolean> {
  try {
    return await isRevoked(ctx.revocations, sessionId)
  } catch (error) {
    log('warn', 'revocation.read_failed', describeError(error))
    return false
  }
}
