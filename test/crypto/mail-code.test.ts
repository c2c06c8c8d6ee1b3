import { describe, expect, it } from 'vitest'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { isMailCode, mailCode } from '../../src/crypto/mail-code.ts'
import { uuidv7 } from '../../src/crypto/random.ts'

const keyOf = (kid: string) => ({ kty: 'oct', kid, k: btoa(kid.repeat(32).slice(0, 32)).replaceAll('=', '') })
const ringOf = (...kids: string[]) => parseSecretKeys(JSON.stringify({ keys: kids.map(keyOf) }))
const keys = ringOf('one')
const sent = new Date(Date.UTC(2026, 11, 1, 12, 34, 56))
const newId = () => uuidv7(sent)
const newOwner = () => ({ userId: newId(), sessionId: newId() })

describe('a mailed code', () => {
  it('is eight digits, the same whenever its email is written, and another one in another email', async () => {
    const [owner, email] = [newOwner(), newId()]
    const code = await mailCode(keys, owner, email)
    expect(code).toMatch(/^\d{8}$/)
    expect(await mailCode(keys, owner, email)).toBe(code)
    expect(await mailCode(keys, owner, newId())).not.toBe(code)
  })

  it('is good as long as its email is among those that count', async () => {
    const [owner, email] = [newOwner(), newId()]
    const code = await mailCode(keys, owner, email)
    expect(await isMailCode(keys, owner, code, [email])).toBe(true)
    expect(await isMailCode(keys, owner, code, [newId(), email, newId()])).toBe(true)
    expect(await isMailCode(keys, owner, code, [newId()])).toBe(false)
    expect(await isMailCode(keys, owner, code, [])).toBe(false)
  })

  it('is good for its session and its user alone, under any key of the ring', async () => {
    const [owner, other, email] = [newOwner(), newOwner(), newId()]
    const code = await mailCode(keys, owner, email)
    expect(await isMailCode(keys, { ...owner, sessionId: other.sessionId }, code, [email])).toBe(false)
    expect(await isMailCode(keys, { ...owner, userId: other.userId }, code, [email])).toBe(false)
    expect(await isMailCode(ringOf('two'), owner, code, [email])).toBe(false)
    expect(await isMailCode(ringOf('two', 'one'), owner, code, [email])).toBe(true)
  })

  it.each(['', '0', '00000000 ', 'abcdefgh', '123456789'])('is nothing else: "%s"', async (text) => {
    expect(await isMailCode(keys, newOwner(), text, [newId()])).toBe(false)
  })

  it('keeps its leading zeros', async () => {
    for (let round = 0; round < 200; round++) {
      const [owner, email] = [newOwner(), newId()]
      const code = await mailCode(keys, owner, email)
      expect(code).toHaveLength(8)
      expect(await isMailCode(keys, owner, code, [email])).toBe(true)
    }
  })
})
