import type { Claims } from '../crypto/tokens.ts'
import type { Reason } from '../reasons.ts'
import type { Ctx, Origin, Platform } from '../context.ts'
import type { PasswordPrincipal, Principal } from '../services/sessions/signed-in.ts'

/** What middleware passes on to handlers. */
export interface HttpEnv {
  Bindings: Env
  Variables: {
    platform: Platform
    origin: Origin
    ctx: Ctx
    /** Set by `authenticate`: the user and session as D1 has them now. */
    actor: Principal
    /** Also set by `authenticateForPassword`. */
    passwordActor: PasswordPrincipal
    /**
     * Set by `readOwnRefreshToken`: the generation of the refresh token that came with the access token, if one did.
     */
    presentedGeneration: number | undefined
    /** Set by `requireToken` and `verifyAtEdge`: the content of the token, which may be minutes old. */
    claims: Claims<'at+jwt'>
    /** For the request log. */
    outcome: string
    reason: Reason | undefined
  }
}
