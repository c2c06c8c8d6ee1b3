/** The passkeys of the signed-in user. */
import type { Ctx } from '../../context.ts'
import { maxPasskeys } from '../../config/policy.ts'
import { bindPasskey } from '../../crypto/passkey-binding.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { type RegistrationResponse, verifyRegistration } from '../../crypto/webauthn/registration.ts'
import { AppError } from '../../errors.ts'
import { happened } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import {
  deletePasskey,
  hasFewerPasskeys,
  hasOtherName,
  hasPasskey,
  insertPasskey,
  isNewCredential,
  renamePasskeyOf,
  selectOwnPasskey,
  selectPasskeyAndUser,
  selectPasskeysOf,
} from '../../store/passkeys.ts'
import type { Passkey } from '../../store/schema/passkeys.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { assertFresh } from '../sessions/strength.ts'
import { decideFactorAct, explainRefusal } from './act.ts'
import { type Enrolled, enrolFactor, removeFactor } from './enrolment.ts'
import { passkeyCreationOptions, readPasskeyChallenge } from './passkey-options.ts'

const defaultName = 'Passkey'

/** Nobody but the session that asked may answer. */
function useOf({ session }: Principal) {
  return { purpose: 'enrolment', subject: session.id } as const
}

/**
 * Options for a new passkey. They name the passkeys of the account, so that no authenticator makes a second one.
 *
 * @throws {AppError} `insufficient_user_authentication`
 */
export async function passkeyEnrolmentOptions(ctx: Ctx, principal: Principal) {
  assertFresh(principal, ctx.now())
  const existing = await selectPasskeysOf(ctx.db, principal.user.id)
  return passkeyCreationOptions(ctx, useOf(principal), principal.user, existing)
}

export interface NewPasskey {
  challengeToken: string
  credential: RegistrationResponse & { response: { transports?: string[] | undefined } }
  name: string | undefined
  mailCode: string | undefined
}

/**
 * Adds a passkey that verified its user. It lifts the session as a sign-in with it would.
 *
 * @throws {AppError} `invalid_passkey` with status 400; `passkey_exists`, also where another account has it;
 *   `too_many`; as `enrolFactor`
 */
export async function addPasskey(
  ctx: Ctx,
  principal: Principal,
  { challengeToken, credential, name = defaultName, mailCode }: NewPasskey,
): Promise<Enrolled & { passkey: Passkey }> {
  const now = ctx.now()
  assertFresh(principal, now)
  const { id: userId } = principal.user
  const { rpId, ownOrigins: origins } = ctx.config
  const challenge = await readPasskeyChallenge(ctx, useOf(principal), challengeToken)
  if (!challenge) throw new AppError('invalid_passkey', { status: 400, reason: 'expired' })
  const expected = { rpId, origins, challenge: challenge.text, userVerification: 'required' } as const
  const created = await verifyRegistration(expected, credential)
  if (!created) throw new AppError('invalid_passkey', { status: 400, reason: 'wrong_passkey' })
  const { credentialId } = created
  const passkey: Passkey = {
    id: uuidv7(now),
    userId,
    ...created,
    rpId,
    transports: credential.response.transports ?? [],
    name,
    binding: await bindPasskey(ctx.secrets.dataKeys, { userId, ...created }),
    usedChallenges: [],
    lastUsedAt: null,
  }
  const enrolled = await enrolFactor(ctx, principal, {
    kind: 'passkey',
    amr: ['pop', 'user', 'mfa'],
    mailCode,
    guard: allOf(isNewCredential(credentialId), hasFewerPasskeys(userId, maxPasskeys)),
    store: (ifDone) => ({ passkey: insertPasskey(ctx.db, passkey, ifDone) }),
  })
  if (enrolled) return { ...enrolled, passkey }
  const [existing] = await selectPasskeyAndUser(ctx.db, credentialId)
  throw new AppError(existing ? 'passkey_exists' : 'too_many')
}

/**
 * Gives a passkey another name, and mails a notice: a thief could give their own passkey the name of one that the owner
 * knows. Does nothing when it has the name already.
 *
 * @throws {AppError} `not_found` for a passkey of somebody else, too; `insufficient_user_authentication`;
 *   `invalid_token` when the session ended meanwhile; `rate_limited` above the user's ceiling
 */
export async function renamePasskey(ctx: Ctx, principal: Principal, id: string, name: string): Promise<Passkey> {
  assertFresh(principal, ctx.now())
  const { user } = principal
  const own = { id, userId: user.id }
  const detail = { passkey_id: id }
  const event = auditEvent(ctx, 'user.passkey_renamed', { actorId: user.id, userId: user.id, detail })
  const notice = newEmail(ctx, 'passkey_renamed', user.email, user.id)
  const isChange = hasOtherName(own, name)
  const ifDone = happened(event.id)
  const rows = await batch(ctx.db, decideFactorAct(ctx, principal, event, isChange, isChange), {
    name: renamePasskeyOf(ctx.db, own, name, ifDone),
    passkey: selectOwnPasskey(ctx.db, own),
    notice: insertEmail(ctx.db, notice, ifDone),
  })
  if (rows.decided.length === 0) explainRefusal(ctx, principal, rows)
  announceStored(ctx, rows.notice)
  const [passkey] = rows.passkey
  if (!passkey) throw new AppError('not_found')
  return passkey
}

/** @throws {AppError} as `removeFactor` */
export async function removePasskey(ctx: Ctx, principal: Principal, id: string): Promise<void> {
  assertFresh(principal, ctx.now())
  const own = { id, userId: principal.user.id }
  await removeFactor(ctx, principal, {
    kind: 'passkey',
    guard: hasPasskey(own),
    erase: (ifDone) => ({ passkey: deletePasskey(ctx.db, own, ifDone) }),
  })
}
