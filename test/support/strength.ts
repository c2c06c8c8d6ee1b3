/** Factors and strengths as D1 has them, for tests that are about neither enrolment nor sign-in. */
import { uuidv7 } from '../../src/crypto/random.ts'
import type { Person } from './person.ts'
import { write } from './state.ts'

/** The strengths of a session (RFC 8176). */
export const strengths = {
  password: ['pwd'],
  code: ['pwd', 'otp', 'mfa'],
  passkey: ['pop', 'user', 'mfa'],
}

/** The account has a factor. Nobody can show it: there are no rows of it. */
export async function giveFactor({ id, service }: Person): Promise<void> {
  await write('update users set factors_id = ? where id = ?', uuidv7(service.clock.now()), id)
}

/** How the user of a session has proven who they are, and how long ago. */
export async function proveIn({ sessionId, service }: Person, amr: string[], agoMs = 0): Promise<void> {
  const at = service.clock.now().getTime() - agoMs
  await write('update sessions set amr = ?, authenticated_at = ? where id = ?', JSON.stringify(amr), at, sessionId)
}

/** An account without a password, as one with passkeys only. */
export async function takePassword({ id }: Person): Promise<void> {
  await write('update users set password_hash = null where id = ?', id)
}
