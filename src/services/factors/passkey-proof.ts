import { ceilings } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { isBoundPasskey } from '../../crypto/passkey-binding.ts'
import { type AssertionResponse, verifyAssertion } from '../../crypto/webauthn/assertion.ts'
import type { Challenge } from '../../crypto/webauthn/challenge.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import type { Statements } from '../../store/batch.ts'
import { hasManyOthers } from '../../store/condensed-events.ts'
import { type Expression, allOf, noneOf } from '../../store/db.ts'
import { insertEmail } from '../../store/emails.ts'
import { type PasskeyUse, isUnused, recordUse } from '../../store/passkeys.ts'
import type { Passkey } from '../../store/schema/passkeys.ts'
import type { User } from '../../store/schema/users.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceEmail, newEmail } from '../mail/outbox.ts'
import { userHandleOf } from './passkey-options.ts'

/** What a client sends: the token of the options, and what the browser made of them. */
export interface PasskeyResponse {
  challengeToken: string
  credential: AssertionResponse
}

export interface VerifiedPasskey {
  use: PasskeyUse
  isUserVerified: boolean
  /**
   * The signature counter has not grown (WebAuthn Level 3 §6.1.1). The authenticator may have been cloned, or have lost
   * its memory: a signal, and no reason to refuse. Synced passkeys do not count.
   */
  mayBeCloned: boolean
}

/**
 * Verifies an assertion of a stored passkey. Whether the challenge was answered before is decided by the batch that
 * uses the assertion up: see `spendPasskey`.
 *
 * @returns `undefined` for a response that is refused, and for a passkey that Postern did not bind to its account
 */
export async function verifyPasskey(
  ctx: Ctx,
  passkey: Passkey,
  challenge: Challenge,
  credential: AssertionResponse,
  userVerification: 'required' | 'preferred',
): Promise<VerifiedPasskey | undefined> {
  const { rpId, ownOrigins: origins } = ctx.config
  const { userHandle } = credential.response
  // A handle of somebody else: the authenticator knows another account under this credential.
  if (userHandle && userHandle !== userHandleOf(passkey.userId)) return undefined
  if (passkey.rpId !== rpId || !(await isBoundPasskey(ctx.secrets.dataKeys, passkey))) return undefined
  const expected = { rpId, origins, challenge: challenge.text, userVerification }
  const assertion = await verifyAssertion(expected, passkey.publicKey, credential)
  // Whether a credential can be synced never changes (§6.1.3).
  if (!assertion || assertion.isBackupEligible !== passkey.isBackupEligible) return undefined
  const { signCount, isBackedUp, isUserVerified } = assertion
  return {
    use: { passkey, challengeId: challenge.id, signCount, isBackedUp, at: ctx.now() },
    isUserVerified,
    mayBeCloned: !passkey.isBackupEligible && passkey.signCount > 0 && signCount <= passkey.signCount,
  }
}

/**
 * The guard and the statements by which a verified assertion counts once. A signature counter that has not grown is
 * recorded and mailed.
 */
export function spendPasskey(
  ctx: Ctx,
  { id: userId, email }: Pick<User, 'id' | 'email'>,
  { use, mayBeCloned }: VerifiedPasskey,
) {
  const detail = { passkey_id: use.passkey.id }
  const doubt = auditEvent(ctx, 'user.passkey_doubted', { actorId: userId, userId, detail })
  const notice = newEmail(ctx, 'passkey_doubted', email, userId)
  return {
    guard: isUnused(use),
    spend: (ifDone: Expression) =>
      ({
        passkey: recordUse(ctx.db, use, ifDone),
        ...(mayBeCloned && {
          // Whoever builds an authenticator can cause any number of these events.
          doubt: insertAuditEvent(
            ctx.db,
            doubt,
            allOf(ifDone, noneOf(hasManyOthers(doubt, ceilings.userEventsPerDay))),
          ),
          doubtNotice: insertEmail(ctx.db, notice, ifDone),
        }),
      }) satisfies Statements,
    announce: () => {
      if (mayBeCloned) announceEmail(ctx, notice)
    },
  }
}
