import type { Claims } from '../crypto/tokens.ts'
import type { Reason } from '../errors.ts'
import type { Ctx, Origin, Platform } from '../context.ts'
import type { PasswordPrincipal, Principal } from '../services/sessions/signed-in.ts'

/** What one request carries from middleware to handler. */
export interface HttpEnv {
  Bindings: Env
  Variables: {
    platform: Platform
    origin: Origin
    ctx: Ctx
    /** Set by `authenticate`: the user and session as D1 has them now. */
    actor: Principal
    /** Set by `authenticateForPassword` besides. */
    passwordActor: PasswordPrincipal
    /** Set by `requireToken` and `verifyAtEdge`: what the token says, which may be minutes old. */
    claims: Claims<'at+jwt'>
    /** For the request log. */
    outcome: string
    reason: Reason | undefined
  }
}
