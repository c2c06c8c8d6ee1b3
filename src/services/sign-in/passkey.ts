import type { Ctx } from '../../context.ts'
import { decodeBase64url } from '../../crypto/base64url.ts'
import { AppError } from '../../errors.ts'
import type { ProblemCode } from '../../problems.ts'
import type { Reason } from '../../reasons.ts'
import { happened } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { recordRefusal } from '../../store/condensed-events.ts'
import { allOf } from '../../store/db.ts'
import { selectPasskeyAndUser } from '../../store/passkeys.ts'
import type { User } from '../../store/schema/users.ts'
import { hasStatus } from '../../store/user-conditions.ts'
import { auditEvent } from '../audit/trail.ts'
import { passkeyRequestOptions, readPasskeyChallenge } from '../factors/passkey-options.ts'
import { type PasskeyResponse, verifyPasskey, spendPasskey } from '../factors/passkey-proof.ts'
import { refusalPlace } from '../protection/ceilings.ts'
import { type SignedIn, beginSession, prepareSession } from '../sessions/begin.ts'
import { prepareSignInNotice } from './notice.ts'

/** Nobody is known yet. */
const use = { purpose: 'sign_in', subject: '' } as const

/**
 * Options for a sign-in. Neither reads nor writes the database, because every view of the sign-in page asks for some.
 */
export function passkeySignInOptions(ctx: Ctx) {
  return passkeyRequestOptions(ctx, use, 'required')
}

/**
 * Signs in with a passkey that verified its user, and nothing else: two factors in one, and no phishing page can use
 * it. Everything that is wrong gets the same answer; a stranger leaves no row. The state of an account is revealed only
 * to whoever has its passkey.
 *
 * @throws {AppError} `invalid_passkey`; after a right assertion `account_suspended`
 */
export async function signInWithPasskey(ctx: Ctx, response: PasskeyResponse): Promise<SignedIn> {
  const { credential } = response
  const challenge = await readPasskeyChallenge(ctx, use, response.challengeToken)
  if (!challenge) throw invalidPasskey('expired')
  const credentialId = decodeBase64url(credential.id)
  const [found] = credentialId ? await selectPasskeyAndUser(ctx.db, credentialId) : []
  if (!found) throw invalidPasskey('unknown_passkey')
  const { passkey, user } = found
  // Without a list of credentials every authenticator sends a handle (WebAuthn Level 3 §7.2, step 6).
  const proof = credential.response.userHandle
    ? await verifyPasskey(ctx, passkey, challenge, credential, 'required')
    : undefined
  if (!proof) throw invalidPasskey('wrong_passkey')
  if (user.status !== 'active') return refuse(ctx, user, user.status)

  const { guard, spend, announce } = spendPasskey(ctx, user, proof)
  const { session, event } = await prepareSession(ctx, user.id, 'user.signed_in')
  const ifDone = happened(event.id)
  const notice = prepareSignInNotice(ctx, user, { eventId: event.id, isKnownDevice: false, ifDone })
  const begun = await beginSession(ctx, {
    user,
    event: { ...event, detail: { ...event.detail, passkey_id: passkey.id } },
    session,
    guard: allOf(hasStatus(user.id, 'active'), guard),
    proof: { method: 'passkey' },
    changes: {},
    email: { row: notice.notice, insert: notice.insertNotice },
    statements: spend(ifDone),
  })
  if (begun.kind === 'signed_in') {
    announce()
    return begun
  }
  // The account was changed or deleted meanwhile, or the challenge was answered before.
  const { current } = begun
  if (!current) throw invalidPasskey('changed_meanwhile')
  return refuse(ctx, current, current.status === 'active' ? 'used_challenge' : current.status)
}

/** Records the refusal of a right assertion: whoever sent it has the passkey, or has read what its owner sent. */
async function refuse(ctx: Ctx, { id: userId, status }: Pick<User, 'id' | 'status'>, reason: Reason): Promise<never> {
  const event = auditEvent(ctx, 'user.sign_in_refused', { userId, detail: { reason } })
  await batch(ctx.db, recordRefusal(ctx.db, event, refusalPlace(ctx, event)))
  const code: ProblemCode = status === 'suspended' ? 'account_suspended' : 'invalid_passkey'
  throw new AppError(code, { reason })
}

function invalidPasskey(reason: Reason): AppError {
  return new AppError('invalid_passkey', { reason })
}
