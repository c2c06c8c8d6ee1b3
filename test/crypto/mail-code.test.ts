import { describe, expect, it } from 'vitest'
import { mailCodeMs } from '../../src/config/policy.ts'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { isMailCode, mailCode } from '../../src/crypto/mail-code.ts'
import { uuidv7 } from '../../src/crypto/random.ts'

const keyOf = (kid: string) => ({ kty: 'oct', kid, k: btoa(kid.repeat(32).slice(0, 32)).replaceAll('=', '') })
const ringOf = (...kids: string[]) => parseSecretKeys(JSON.stringify({ keys: kids.map(keyOf) }))
const keys = ringOf('one')
const sentMs = Date.UTC(2026, 11, 1, 12, 34, 56)
const sent = new Date(sentMs)
const newOwner = () => ({ userId: uuidv7(sent), sessionId: uuidv7(sent) })

describe('a mailed code', () => {
  it('is eight digits, the same for every email of a minute, and another one in the next', async () => {
    const owner = newOwner()
    const code = await mailCode(keys, owner, sent)
    expect(code).toMatch(/^\d{8}$/)
    expect(await mailCode(keys, owner, new Date(sentMs + 3000))).toBe(code)
    expect(await mailCode(keys, owner, new Date(sentMs + 4000))).not.toBe(code)
  })

  it('is good for ten minutes, and no longer than the last minute takes', async () => {
    const owner = newOwner()
    const code = await mailCode(keys, owner, sent)
    const isGood = (afterMs: number) => isMailCode(keys, owner, code, new Date(sentMs + afterMs))
    expect(await isGood(0)).toBe(true)
    expect(await isGood(mailCodeMs)).toBe(true)
    expect(await isGood(mailCodeMs + 60_000)).toBe(false)
    expect(await isGood(-60_000)).toBe(false)
  })

  it('is good for its session and its user alone, under any key of the ring', async () => {
    const [owner, other] = [newOwner(), newOwner()]
    const code = await mailCode(keys, owner, sent)
    expect(await isMailCode(keys, { ...owner, sessionId: other.sessionId }, code, sent)).toBe(false)
    expect(await isMailCode(keys, { ...owner, userId: other.userId }, code, sent)).toBe(false)
    expect(await isMailCode(ringOf('two'), owner, code, sent)).toBe(false)
    expect(await isMailCode(ringOf('two', 'one'), owner, code, sent)).toBe(true)
  })

  it.each(['', '0', '00000000 ', 'abcdefgh', '123456789'])('is nothing else: "%s"', async (text) => {
    expect(await isMailCode(keys, newOwner(), text, sent)).toBe(false)
  })

  it('keeps its leading zeros', async () => {
    for (let round = 0; round < 200; round++) {
      const owner = newOwner()
      const code = await mailCode(keys, owner, sent)
      expect(code).toHaveLength(8)
      expect(await isMailCode(keys, owner, code, sent)).toBe(true)
    }
  })
})
