/** What a page gives to the browser (WebAuthn Level 3 §5.4, §5.5), with a challenge that nobody stores. */
import { base64url } from 'jose'
import { challengeMs } from '../../config/policy.ts'
import type { Ctx } from '../../context.ts'
import { bytesOfUuid } from '../../crypto/random.ts'
import { type Challenge, type ChallengeUse, newChallenge, readChallenge } from '../../crypto/webauthn/challenge.ts'
import { coseAlgorithms } from '../../crypto/webauthn/cose-key.ts'
import type { Passkey } from '../../store/schema/passkeys.ts'
import type { User } from '../../store/schema/users.ts'

type Listed = Pick<Passkey, 'credentialId' | 'transports'>

/**
 * Options for `navigator.credentials.get`.
 *
 * @param listed the passkeys that may answer. Without a list the browser offers every passkey of this RP ID. Give a
 *   list only after a first factor: to anybody else it would tell which addresses have an account with passkeys
 *   (§14.6.2).
 */
export async function passkeyRequestOptions(
  ctx: Ctx,
  use: ChallengeUse,
  userVerification: 'required' | 'preferred',
  listed?: readonly Listed[],
) {
  const { text: challenge } = await newChallenge(ctx.secrets.tokenKeys, use, ctx.now())
  return {
    challengeToken: challenge,
    publicKey: {
      challenge,
      rpId: ctx.config.rpId,
      timeout: challengeMs,
      userVerification,
      ...(listed && { allowCredentials: listed.map(descriptorOf) }),
    },
  }
}

/**
 * Options for `navigator.credentials.create`: a new discoverable credential that verifies its user by PIN or
 * biometrics.
 */
export async function passkeyCreationOptions(
  ctx: Ctx,
  use: ChallengeUse,
  { id, email }: Pick<User, 'id' | 'email'>,
  existing: readonly Listed[],
) {
  const { text: challenge } = await newChallenge(ctx.secrets.tokenKeys, use, ctx.now())
  return {
    challengeToken: challenge,
    publicKey: {
      challenge,
      rp: { id: ctx.config.rpId, name: ctx.config.productName },
      user: { id: userHandleOf(id), name: email, displayName: email },
      pubKeyCredParams: coseAlgorithms.map((alg) => ({ type: 'public-key' as const, alg })),
      timeout: challengeMs,
      excludeCredentials: existing.map(descriptorOf),
      authenticatorSelection: {
        residentKey: 'required' as const,
        requireResidentKey: true,
        userVerification: 'required' as const,
      },
      attestation: 'none' as const,
      extensions: { credProps: true },
    },
  }
}

/** Reads the token that came with the options. `undefined` when it is not for this use, or older than five minutes. */
export function readPasskeyChallenge(ctx: Ctx, use: ChallengeUse, token: string): Promise<Challenge | undefined> {
  const since = new Date(ctx.now().getTime() - challengeMs)
  return readChallenge(ctx.secrets.tokenKeys, use, token, since)
}

/** The id of a user as authenticators keep it: bytes that say nothing about the person (§14.6.1). */
export function userHandleOf(userId: string): string {
  return base64url.encode(bytesOfUuid(userId))
}

function descriptorOf({ credentialId, transports }: Listed) {
  return { type: 'public-key' as const, id: base64url.encode(credentialId), transports }
}
