import type { Context } from '../context.ts'
import { type Actor, findActor } from '../store/sessions.ts'

/** The user and session behind an access token, if both are still good. */
export function findSignedIn(ctx: Context, sessionId: string, userId: string): Promise<Actor | undefined> {
  return findActor(ctx.db, sessionId, userId, ctx.now())
}
