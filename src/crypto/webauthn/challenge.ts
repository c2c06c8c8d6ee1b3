import { base64url } from 'jose'
import type { KeyRing, SecretKey } from '../keys.ts'
import { bytesOfUuid, isUuidv7, timeOf, uuidOfBytes, uuidv7 } from '../random.ts'
import { hmacKeyOf } from '../tokens.ts'
import { decode } from './decode.ts'
import type { Bytes } from './malformed.ts'

export interface ChallengeUse {
  purpose: 'sign_in' | 'second_factor' | 'step_up' | 'enrolment'
  /** For whom it was made: the `jti` of a factor token, or the id of a session. Empty for a sign-in. */
  subject: string
}

export interface Challenge {
  /**
   * A UUIDv7. The write that accepts a response stores it for `challengeMs`, so that the challenge is answered once.
   */
  id: string
  /** The challenge itself, in base64url, as client data names it. */
  text: string
}

/** A challenge is 32 bytes: its id, then the start of a MAC. */
const macStart = 16

/**
 * Makes a challenge that nobody has to store: a sign-in page asks for one whenever it is opened, by anybody. It holds
 * the time at which it was made, and a MAC over that, its purpose and its subject under a token key.
 */
export async function newChallenge(keys: KeyRing<SecretKey>, use: ChallengeUse, now: Date): Promise<Challenge> {
  const id = uuidv7(now)
  const mac = await macOf(keys[0], use, id)
  return { id, text: base64url.encode(new Uint8Array([...bytesOfUuid(id), ...mac])) }
}

/**
 * Reads a challenge that was made for this use.
 *
 * @param since challenges that were made before this moment have expired
 * @returns `undefined` for any other text. Does not throw.
 */
export async function readChallenge(
  keys: KeyRing<SecretKey>,
  use: ChallengeUse,
  text: string,
  since: Date,
): Promise<Challenge | undefined> {
  // Client data has 43 characters, compared as text. Any other spelling of the same bytes would fail there.
  if (!/^[\w-]{43}$/.test(text)) return undefined
  const bytes = decode(text)
  const id = uuidOfBytes(bytes.subarray(0, macStart))
  if (!isUuidv7(id) || timeOf(id) < since) return undefined
  for (const key of keys) {
    if (crypto.subtle.timingSafeEqual(await macOf(key, use, id), bytes.subarray(macStart))) return { id, text }
  }
  return undefined
}

async function macOf(key: SecretKey, { purpose, subject }: ChallengeUse, id: string): Promise<Bytes> {
  // No JWT under the same key has this text, because no JWT has a "|". Neither purpose nor id has one.
  const input = new TextEncoder().encode(`webauthn|${purpose}|${id}|${subject}`)
  return new Uint8Array(await crypto.subtle.sign('HMAC', await hmacKeyOf(key), input), 0, macStart)
}
