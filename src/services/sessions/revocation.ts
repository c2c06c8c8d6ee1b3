import type { Ctx } from '../../context.ts'
import { accessTokenSeconds } from '../../config/policy.ts'
import { unavailable } from '../../errors.ts'
import { describeError, log } from '../../log.ts'
import { insertRevocation, isRevoked } from '../../store/revocations.ts'
import type { EndedSession } from '../../store/sessions.ts'
import { acceptedTokensOf } from './accepted-tokens.ts'

const maxWrites = 3
/** KV accepts one write per second and key. */
const pauseMs = 1000

/** Puts ended sessions on the revocation list, after the response: in D1 they have ended already. */
export function revoke(ctx: Ctx, ended: readonly EndedSession[]): void {
  for (const session of ended) ctx.defer(revokeOne(ctx, session))
}

async function revokeOne(ctx: Ctx, { id, expiresAt }: EndedSession): Promise<void> {
  // The last access token of a session that was about to expire may outlive it.
  const lifeSeconds = Math.max((expiresAt.getTime() - ctx.now().getTime()) / 1000, accessTokenSeconds)
  for (let write = 1; write <= maxWrites; write++) {
    try {
      // Also after a failed write, which may have got there: what was accepted meanwhile came from the old list.
      await insertRevocation(ctx.revocations, id, lifeSeconds).finally(() =>
        acceptedTokensOf(ctx.revocations).forget(id),
      )
      return
    } catch (error) {
      log('warn', 'revocation.write_failed', { session_id: id, attempt: write, ...describeError(error) })
      if (write < maxWrites) await ctx.sleep(pauseMs)
    }
  }
}

/** @throws {AppError} `service_unavailable` when the list cannot be read: without an answer nobody is let in. */
export async function isSessionRevoked(ctx: Ctx, sessionId: string): Promise<boolean> {
  try {
    return await isRevoked(ctx.revocations, sessionId)
  } catch (error) {
    throw unavailable('kv', error)
  }
}

/**
 * For a refresh, where D1 decides: the list only refuses tokens of ended sessions early, so a failed read is ignored.
 */
export async function isKnownToBeRevoked(ctx: Ctx, sessionId: string): Promise<boolean> {
  try {
    return await isRevoked(ctx.revocations, sessionId)
  } catch (error) {
    log('warn', 'revocation.read_failed', describeError(error))
    return false
  }
}
