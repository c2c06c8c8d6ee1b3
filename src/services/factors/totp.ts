import { totpSetupMs } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { openData, sealData } from '../../crypto/data-keys.ts'
import { findStep, newSeed, seedText, totpUri } from '../../crypto/totp.ts'
import { AppError } from '../../errors.ts'
import { deleteTotp, hasTotp, putTotp } from '../../store/totps.ts'
import { isFactorsId, userExists } from '../../store/user-conditions.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { assertFresh } from '../sessions/strength.ts'
import { type Enrolled, enrolFactor, removeFactor } from './enrolment.ts'

export interface TotpSetup {
  setupToken: string
  /** For people who cannot scan the URI. */
  secret: string
  uri: string
}

/**
 * Begins to set up an authenticator app. Nothing is stored: the seed travels in the token, sealed for this user,
 * session and state of the factors. So a setup that is never finished locks nobody out.
 *
 * @throws {AppError} `insufficient_user_authentication`
 */
export async function startTotp(ctx: Ctx, principal: Principal): Promise<TotpSetup> {
  const now = ctx.now()
  assertFresh(principal, now)
  const seed = newSeed()
  const content = new Uint8Array(8 + seed.length)
  new DataView(content.buffer).setFloat64(0, now.getTime() + totpSetupMs)
  content.set(seed, 8)
  return {
    setupToken: await sealData(ctx.secrets.dataKeys, 'totp-setup', contextOf(principal), content),
    secret: seedText(seed),
    uri: totpUri(ctx.config.productName, principal.user.email, seed),
  }
}

export interface TotpConfirmation {
  setupToken: string
  code: string
  mailCode: string | undefined
}

/**
 * Adds an authenticator app that shows the right code, in place of the one that the account had. The code counts as
 * used.
 *
 * @throws {AppError} `invalid_setup` for a token of another session or user, an expired one, and one from before
 *   another change of the factors; `wrong_second_factor`; as `enrolFactor`
 */
export async function confirmTotp(
  ctx: Ctx,
  principal: Principal,
  { setupToken, code, mailCode }: TotpConfirmation,
): Promise<Enrolled> {
  const now = ctx.now()
  assertFresh(principal, now)
  const { user } = principal
  const { dataKeys } = ctx.secrets
  const content = await openData(dataKeys, 'totp-setup', contextOf(principal), setupToken)
  if (!content || new DataView(content.buffer).getFloat64(0) < now.getTime()) throw new AppError('invalid_setup')
  const seed = content.slice(8)
  const lastStep = await findStep(seed, code, now)
  if (lastStep === undefined) throw new AppError('wrong_second_factor')
  const secret = await sealData(dataKeys, 'totp-seed', [user.id], seed)
  const totp = { userId: user.id, secret, lastStep, createdAt: now, lastUsedAt: null }
  const enrolled = await enrolFactor(ctx, principal, {
    kind: 'totp',
    amr: ['otp', 'mfa'],
    mailCode,
    guard: userExists(user.id, isFactorsId(user.factorsId)),
    store: (ifDone) => ({ totp: putTotp(ctx.db, totp, ifDone) }),
  })
  if (!enrolled) throw new AppError('invalid_setup')
  return enrolled
}

/** What a setup is bound to. */
function contextOf({ user, session }: Principal): string[] {
  return [user.id, session.id, user.factorsId ?? '']
}

/** @throws {AppError} as `removeFactor` */
export async function removeTotp(ctx: Ctx, principal: Principal): Promise<void> {
  const { id } = principal.user
  assertFresh(principal, ctx.now())
  await removeFactor(ctx, principal, {
    kind: 'totp',
    guard: hasTotp(id),
    erase: (ifDone) => ({ totp: deleteTotp(ctx.db, id, ifDone) }),
  })
}
