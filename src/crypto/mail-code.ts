/**
 * Codes of eight digits that are mailed to the owner of a session. A code follows from the session and the minute in which
 * it was asked for, so nothing is stored of it.
 */
import { base64url } from 'jose'
import { mailCodeMs } from '../config/policy.ts'
import { macData } from './data-keys.ts'
import type { KeyRing, SecretKey } from './keys.ts'

const minuteMs = 60_000

interface Owner {
  userId: string
  sessionId: string
}

/** The code of a session at a time. */
export async function mailCode(keys: KeyRing<SecretKey>, owner: Owner, at: Date): Promise<string> {
  const [code] = await codesOf(keys[0], owner, Math.floor(at.getTime() / minuteMs), 1)
  return code!
}

/**
 * Whether this is the code of the session for the current minute or one of the ten before it. It need not have been mailed:
 * nothing is stored, so nothing could tell.
 */
export async function isMailCode(keys: KeyRing<SecretKey>, owner: Owner, code: string, now: Date): Promise<boolean> {
  const first = Math.floor((now.getTime() - mailCodeMs) / minuteMs)
  const codes = await Promise.all(keys.map((key) => codesOf(key, owner, first, mailCodeMs / minuteMs + 1)))
  return codes.flat().includes(code)
}

function codesOf(key: SecretKey, { userId, sessionId }: Owner, first: number, minutes: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: minutes }, async (_, place) => {
      const mac = await macData([key], 'mail-code', [userId, sessionId, String(first + place)])
      const bytes = base64url.decode(mac.slice(key.kid.length + 1))
      const number = new DataView(bytes.buffer).getBigUint64(0) % 100_000_000n
      return String(number).padStart(8, '0')
    }),
  )
}
