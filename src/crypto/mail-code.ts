/**
 * Codes of eight digits that are mailed to the owner of a session. A code is computed from the user, the session and
 * the id of the email, under a key. So it is not stored, and the id says how old it is.
 */
import { decodeBase64url } from './base64url.ts'
import { macData } from './data-keys.ts'
import type { KeyRing, SecretKey } from './keys.ts'

interface Owner {
  userId: string
  sessionId: string
}

/** The code that an email brings to the owner of a session. */
export function mailCode([key]: KeyRing<SecretKey>, owner: Owner, emailId: string): Promise<string> {
  return codeUnder(key, owner, emailId)
}

/** Whether one of these emails brought this code to the owner of the session. */
export async function isMailCode(
  keys: KeyRing<SecretKey>,
  owner: Owner,
  code: string,
  emailIds: readonly string[],
): Promise<boolean> {
  const codes = emailIds.flatMap((id) => keys.map((key) => codeUnder(key, owner, id)))
  return (await Promise.all(codes)).includes(code)
}

async function codeUnder(key: SecretKey, { userId, sessionId }: Owner, emailId: string): Promise<string> {
  const mac = await macData([key], 'mail-code', [userId, sessionId, emailId])
  const bytes = decodeBase64url(mac.slice(key.kid.length + 1))!
  const number = new DataView(bytes.buffer).getBigUint64(0) % 100_000_000n
  return String(number).padStart(8, '0')
}
