/** What is asked after the right password of an account with second factors. */
import { factorTokenSeconds } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { signToken } from '../../crypto/tokens.ts'
import { type Statements, batch } from '../../store/batch.ts'
import { recordRefusal } from '../../store/condensed-events.ts'
import { factorsIn, selectFactors } from '../../store/factors.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import type { User } from '../../store/schema/users.ts'
import { refusalPlace } from '../protection/ceilings.ts'
import type { SignedIn } from '../sessions/begin.ts'
import { offeredFactors } from './offered.ts'
import { passkeyRequestOptions } from './passkey-options.ts'

/** There is no session yet. */
export interface SecondFactorRequired {
  kind: 'second_factor_required'
  factorToken: string
  /** The kinds that the account has. */
  factors: ReturnType<typeof offeredFactors>
  /** How to ask the browser for a passkey, if the account has one. */
  passkey: Awaited<ReturnType<typeof passkeyRequestOptions>> | null
  expiresInSeconds: number
}

/** How a sign-in went when it was not refused. */
export type SignInOutcome = SignedIn | SecondFactorRequired

/** What the first step found, for the second one. */
interface PasswordShown {
  passwordId: string
  /** The device, if it is known. */
  deviceId?: string | undefined
  /** The activation link, when this activates the account. */
  linkId?: string | undefined
}

/**
 * Asks for a second factor, and records that the sign-in was refused for the lack of one. The token holds all that the
 * next step has to know, so nothing else is stored.
 *
 * @param event the refusal
 * @param statements what else the caller writes: the password was right
 */
export async function askForFactor(
  ctx: Ctx,
  { id: userId, factorsId }: Pick<User, 'id' | 'factorsId'>,
  { passwordId, deviceId, linkId }: PasswordShown,
  event: AuditEvent,
  statements: Statements,
): Promise<SecondFactorRequired> {
  const now = ctx.now()
  const jti = uuidv7(now)
  const claims = {
    jti,
    sub: userId,
    password_id: passwordId,
    // Only an account with factors is asked.
    factors_id: factorsId!,
    link_id: linkId,
    device_id: deviceId,
  }
  const end = new Date(now.getTime() + factorTokenSeconds * 1000)
  const refusal = recordRefusal(ctx.db, event, refusalPlace(ctx, event))
  const owned = factorsIn(await batch(ctx.db, refusal, statements, selectFactors(ctx.db, userId)))
  const factors = offeredFactors(owned)
  const use = { purpose: 'second_factor', subject: jti } as const
  return {
    kind: 'second_factor_required',
    factorToken: await signToken(ctx.tokens, 'factor+jwt', claims, now, end),
    factors,
    passkey: factors.includes('passkey') ? await passkeyRequestOptions(ctx, use, 'preferred', owned.passkeys) : null,
    expiresInSeconds: factorTokenSeconds,
  }
}
