import { base64url } from 'jose'
import { describe, expect, it } from 'vitest'
import type { KeyRing, SecretKey } from '../../../src/crypto/keys.ts'
import { timeOf } from '../../../src/crypto/random.ts'
import { type ChallengeUse, newChallenge, readChallenge } from '../../../src/crypto/webauthn/challenge.ts'

const key = (kid: string): SecretKey => ({ kid, key: crypto.getRandomValues(new Uint8Array(32)) })
const [old, current, foreign] = [key('old'), key('current'), key('foreign')]
const ring: KeyRing<SecretKey> = [current, old]
const now = new Date('2026-12-01T12:00:00.123Z')
const since = new Date(now.getTime() - 1)
const use: ChallengeUse = { purpose: 'step_up', subject: '01934b2c-0000-7000-8000-000000000001' }

describe('a challenge', () => {
  it('is 32 bytes that begin with the time, and is read back for its use', async () => {
    const challenge = await newChallenge(ring, use, now)
    expect(base64url.decode(challenge.text)).toHaveLength(32)
    expect(timeOf(challenge.id)).toEqual(now)
    expect(await readChallenge(ring, use, challenge.text, since)).toEqual(challenge)
  })

  it('is never the same twice', async () => {
    const texts = await Promise.all(Array.from({ length: 100 }, async () => (await newChallenge(ring, use, now)).text))
    expect(new Set(texts).size).toBe(100)
  })

  it('is not one of another purpose or another subject', async () => {
    const { text } = await newChallenge(ring, use, now)
    const others: ChallengeUse[] = [
      { ...use, purpose: 'sign_in' },
      { ...use, purpose: 'second_factor' },
      { ...use, purpose: 'enrolment' },
      { ...use, subject: '' },
      { ...use, subject: `${use.subject}|` },
      { ...use, subject: '01934b2c-0000-7000-8000-000000000002' },
    ]
    for (const other of others) expect(await readChallenge(ring, other, text, since)).toBe(undefined)
  })

  it('has expired when it was made before a moment', async () => {
    const { text } = await newChallenge(ring, use, now)
    expect(await readChallenge(ring, use, text, now)).toBeTruthy()
    expect(await readChallenge(ring, use, text, new Date(now.getTime() + 1))).toBe(undefined)
  })

  it('is read with any key of the ring, and with no other', async () => {
    const { text } = await newChallenge([old], use, now)
    expect(await readChallenge(ring, use, text, since)).toBeTruthy()
    expect(await readChallenge([foreign], use, text, since)).toBe(undefined)
  })

  it('is refused with any bit flipped, cut, padded, or in another alphabet', async () => {
    const { text } = await newChallenge(ring, use, now)
    const bytes = base64url.decode(text)
    for (let place = 0; place < 256; place++) {
      const changed = bytes.slice()
      changed[place >> 3]! ^= 1 << (place & 7)
      expect(await readChallenge(ring, use, base64url.encode(changed), new Date(0))).toBe(undefined)
    }
    for (const other of ['', text.slice(1), `${text}=`, `${text}A`, ` ${text}`, '+'.repeat(43), '-'.repeat(43)]) {
      expect(await readChallenge(ring, use, other, new Date(0))).toBe(undefined)
    }
  })
})
