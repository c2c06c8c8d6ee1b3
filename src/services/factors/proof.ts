import { base64url } from 'jose'
import { openData } from '../../crypto/data-keys.ts'
import { digestsOfCode } from '../../crypto/recovery-code.ts'
import { findStep } from '../../crypto/totp.ts'
import type { Ctx } from '../../context.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import type { Statements } from '../../store/batch.ts'
import type { Expression } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import type { Factors } from '../../store/factors.ts'
import { deleteRecoveryCode, hasRecoveryCode, withCodesLeft } from '../../store/recovery-codes.ts'
import type { Passkey } from '../../store/schema/passkeys.ts'
import type { Totp } from '../../store/schema/totps.ts'
import type { User } from '../../store/schema/users.ts'
import { consumeStep, hasUnusedStep } from '../../store/totps.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { readPasskeyChallenge } from './passkey-options.ts'
import { type PasskeyResponse, verifyPasskey, spendPasskey } from './passkey-proof.ts'

/** What a client shows besides a password: one of these. */
export type FactorResponse = { totp: string } | { recoveryCode: string } | { passkey: PasskeyResponse }

/** What the challenge of a passkey was made for: nothing else accepts it. */
export interface ChallengeBinding {
  purpose: 'second_factor' | 'step_up'
  /** The id of the factor token, or of the session. */
  subject: string
}

/** A factor that was shown and is right. The batch of the caller decides, once, whether it still counts. */
export interface VerifiedFactor {
  kind: 'totp' | 'recovery_code' | 'passkey'
  /** What it adds to a session (RFC 8176). No value is registered for recovery codes, so they say `otp`. */
  amr: readonly string[]
  /** For the guard of the caller's event. */
  guard: Expression
  /** The statements that use it up, for the same batch. */
  consume: (ifDone: Expression) => Statements
  /** To be called after the batch that used it up. */
  announce: () => void
}

/**
 * Checks a factor of a user, without a query.
 *
 * @param factors as they were read
 * @returns `undefined` for a wrong one, and for one that the account does not have
 */
export async function verifyFactor(
  ctx: Ctx,
  user: Pick<User, 'id' | 'email'>,
  factors: Factors,
  response: FactorResponse,
  challenge: ChallengeBinding,
): Promise<VerifiedFactor | undefined> {
  if ('totp' in response) return factors.totp ? verifyTotp(ctx, factors.totp, response.totp) : undefined
  if ('recoveryCode' in response) return verifyRecoveryCode(ctx, user, factors, response.recoveryCode)
  return verifyOwnPasskey(ctx, user, factors.passkeys, response.passkey, challenge)
}

/**
 * Beside a password, the presence of the user is enough. A step-up stands alone, so it also needs a PIN or biometrics.
 */
async function verifyOwnPasskey(
  ctx: Ctx,
  user: Pick<User, 'id' | 'email'>,
  passkeys: readonly Passkey[],
  { challengeToken, credential }: PasskeyResponse,
  binding: ChallengeBinding,
): Promise<VerifiedFactor | undefined> {
  const challenge = await readPasskeyChallenge(ctx, binding, challengeToken)
  const passkey = passkeys.find(({ credentialId }) => base64url.encode(credentialId) === credential.id)
  if (!challenge || !passkey) return undefined
  const userVerification = binding.purpose === 'step_up' ? 'required' : 'preferred'
  const verified = await verifyPasskey(ctx, passkey, challenge, credential, userVerification)
  if (!verified) return undefined
  const { guard, spend, announce } = spendPasskey(ctx, user, verified)
  return {
    kind: 'passkey',
    amr: verified.isUserVerified ? ['pop', 'user', 'mfa'] : ['pop', 'mfa'],
    guard,
    consume: spend,
    announce,
  }
}

async function verifyTotp(ctx: Ctx, totp: Totp, code: string): Promise<VerifiedFactor | undefined> {
  const { userId, secret } = totp
  const seed = await openData(ctx.secrets.dataKeys, 'totp-seed', [userId], secret)
  const now = ctx.now()
  const step = seed && (await findStep(seed, code, now))
  if (step === undefined || step <= totp.lastStep) return undefined
  const use = { userId, secret, step }
  return {
    kind: 'totp',
    amr: ['otp', 'mfa'],
    guard: hasUnusedStep(use),
    consume: (ifDone) => ({ totpStep: consumeStep(ctx.db, use, now, ifDone) }),
    announce: () => undefined,
  }
}

/** The use of a code is recorded, and mailed with how many are left. */
async function verifyRecoveryCode(
  ctx: Ctx,
  { id, email }: Pick<User, 'id' | 'email'>,
  { recoveryDigests }: Factors,
  code: string,
): Promise<VerifiedFactor | undefined> {
  const digests = await digestsOfCode(ctx.secrets.dataKeys, id, code)
  const digest = digests.find((each) => recoveryDigests.includes(each))
  if (digest === undefined) return undefined
  const event = auditEvent(ctx, 'user.recovery_code_used', { actorId: id, userId: id })
  const notice = newEmail(ctx, 'recovery_code_used', email, id)
  return {
    kind: 'recovery_code',
    amr: ['otp', 'mfa'],
    guard: hasRecoveryCode(id, digest),
    consume: (ifDone) => ({
      recoveryCode: deleteRecoveryCode(ctx.db, id, digest, ifDone),
      recoveryUse: insertAuditEvent(ctx.db, { ...event, detail: withCodesLeft(id, {}) }, ifDone),
      recoveryNotice: insertEmail(ctx.db, { ...notice, params: withCodesLeft(id, notice.params) }, happened(event.id)),
    }),
    announce: () => announceEmail(ctx, notice),
  }
}
