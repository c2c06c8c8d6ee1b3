import type { Input, MiddlewareHandler } from 'hono'
import type { BlankInput } from 'hono/types'
import type { Claims } from '../crypto/tokens.ts'
import type { Reason } from '../reasons.ts'
import type { Ctx, Origin, Platform } from '../context.ts'
import type { PasswordPrincipal, Principal } from '../services/sessions/signed-in.ts'

/**
 * What every handler gets. What only some middleware sets may be missing, so a route that forgets it does not compile.
 */
export interface HttpEnv {
  Bindings: Env
  Variables: {
    platform: Platform
    origin: Origin
    ctx: Ctx
    /**
     * Set by `readOwnRefreshToken`: the generation of the refresh token that came with the access token, if one did.
     */
    presentedGeneration: number | undefined
    /** For the request log. */
    outcome: string
    reason: Reason | undefined
  } & Partial<WhoCalls>
}

interface WhoCalls {
  /** Set by `authenticate` and `permit`: the user and session as D1 has them now. */
  actor: Principal
  /** Also set by `authenticateForPassword`. */
  passwordActor: PasswordPrincipal
  /** Set by `requireToken` and `verifyAtEdge`: the content of the token, which may be minutes old. */
  claims: Claims<'at+jwt'>
}

/** A middleware that sets this much for the handlers behind it. */
export type Sets<Name extends keyof WhoCalls, In extends Input = BlankInput> = MiddlewareHandler<
  HttpEnv & { Variables: Pick<WhoCalls, Name> },
  string,
  In
>
