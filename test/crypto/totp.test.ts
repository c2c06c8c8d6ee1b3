import { type TOTP, URI } from 'otpauth'
import { describe, expect, it } from 'vitest'
import { findStep, newSeed, seedText, totpUri } from '../../src/crypto/totp.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const atStep = (step: number) => new Date(step * 30_000)
const judge = (seed: Uint8Array) => URI.parse(totpUri('Postern', 'ada@example.com', seed)) as TOTP

/** Of both RFCs. */
const rfcSeed = bytes('12345678901234567890')

describe('the code of a step', () => {
  // RFC 4226, appendix D: the counter is the step.
  const hotp = '755224 287082 359152 969429 338314 254676 287922 162583 399871 520489'.split(' ')
  it.each(hotp.map((code, step) => ({ code, step })))('is that of RFC 4226: $step, $code', async ({ code, step }) => {
    expect(await findStep(rfcSeed, code, atStep(step))).toBe(step)
  })

  // RFC 6238, appendix B: the last six of eight digits.
  it.each([
    { seconds: 59, code: '94287082' },
    { seconds: 1_111_111_109, code: '07081804' },
    { seconds: 1_111_111_111, code: '14050471' },
    { seconds: 1_234_567_890, code: '89005924' },
    { seconds: 2_000_000_000, code: '69279037' },
    { seconds: 20_000_000_000, code: '65353130' },
  ])('is that of RFC 6238: $seconds, $code', async ({ seconds, code }) => {
    const step = Math.floor(seconds / 30)
    expect(await findStep(rfcSeed, code.slice(2), new Date(seconds * 1000))).toBe(step)
  })

  it('is accepted one step early and one step late, and no further', async () => {
    const seed = newSeed()
    const code = judge(seed).generate({ timestamp: 1_800_000_000_000 })
    const step = 60_000_000
    for (const ahead of [-1, 0, 1]) expect(await findStep(seed, code, atStep(step + ahead))).toBe(step)
    // A code of another step is the same once in a million.
    for (const ahead of [-3, -2, 2, 3]) expect(await findStep(seed, code, atStep(step + ahead))).not.toBe(step)
    expect(await findStep(seed, code, new Date(atStep(step + 2).getTime() - 1))).toBe(step)
  })

  it('is the same for another implementation, with any seed at any time', async () => {
    for (let round = 0; round < 200; round++) {
      const seed = newSeed()
      const timestamp = Math.floor(Math.random() * 4_000_000_000_000)
      const code = judge(seed).generate({ timestamp })
      expect(await findStep(seed, code, new Date(timestamp)), seedText(seed)).toBe(Math.floor(timestamp / 30_000))
    }
  })

  it.each([
    '',
    '28708',
    '2870820',
    ' 287082',
    '287082 ',
    '+28708',
    '2.8e5',
    '0x4616a',
    '２８７０８２',
    '-87082',
    'abcdef',
  ])('is six digits, so this is none: "%s"', async (text) => {
    expect(await findStep(rfcSeed, text, atStep(1))).toBeUndefined()
  })

  it('may begin with zeros', async () => {
    // The first step of the seed with such a code.
    let step = 0
    const totp = judge(rfcSeed)
    while (!totp.generate({ timestamp: step * 30_000 }).startsWith('00')) step++
    const code = totp.generate({ timestamp: step * 30_000 })
    expect(await findStep(rfcSeed, code, atStep(step))).toBe(step)
    expect(await findStep(rfcSeed, code.slice(1), atStep(step))).toBeUndefined()
  })
})

describe('a seed', () => {
  it('has 160 bits, every one of them random, and 32 characters', () => {
    const seeds = Array.from({ length: 200 }, newSeed)
    expect(new Set(seeds.map(seedText)).size).toBe(200)
    for (const seed of seeds) {
      expect(seed).toHaveLength(20)
      expect(seedText(seed)).toMatch(/^[A-Z2-7]{32}$/)
    }
    for (let place = 0; place < 20; place++) {
      expect(seeds.reduce((bits, seed) => bits | seed[place]!, 0)).toBe(255)
      expect(seeds.reduce((bits, seed) => bits & seed[place]!, 255)).toBe(0)
    }
  })

  it('is written in base32 as RFC 4648 says', () => {
    expect(seedText(bytes('12345678901234567890'))).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
    expect(seedText(new Uint8Array(20).fill(255))).toBe('7'.repeat(32))
    expect(seedText(new Uint8Array(20))).toBe('A'.repeat(32))
  })
})

describe('the URI for an authenticator app', () => {
  it.each([
    { issuer: 'Postern', name: 'Postern' },
    { issuer: 'Käse & Söhne', name: 'Käse & Söhne' },
    { issuer: 'A?b=c#d/e%20', name: 'A?b=c#d/e%20' },
    // The first colon of a label ends its issuer.
    { issuer: 'Acme: staff', name: 'Acme staff' },
  ])('gives another implementation issuer, address and seed: $issuer', ({ issuer, name }) => {
    const seed = newSeed()
    const uri = totpUri(issuer, "o'hara+x&y@example.com", seed)
    expect(uri).toMatch(/^otpauth:\/\/totp\/[\w.~!*'()%-]+:[\w.~!*'()%-]+\?[\w.~!*'()%=&-]+$/)
    const { label, secret, algorithm, digits, period, ...read } = URI.parse(uri) as TOTP
    expect({ issuer: read.issuer, label, algorithm, digits, period }).toEqual({
      issuer: name,
      label: "o'hara+x&y@example.com",
      algorithm: 'SHA1',
      digits: 6,
      period: 30,
    })
    expect(new Uint8Array(secret.buffer as ArrayBuffer)).toEqual(seed)
  })
})
