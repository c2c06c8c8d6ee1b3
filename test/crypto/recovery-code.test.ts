import { describe, expect, it } from 'vitest'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import { digestsOfCode, newRecoveryCode } from '../../src/crypto/recovery-code.ts'

const keyOf = (kid: string) => ({ kty: 'oct', kid, k: btoa(kid.repeat(32).slice(0, 32)).replaceAll('=', '') })
const ringOf = (...kids: string[]) => parseSecretKeys(JSON.stringify({ keys: kids.map(keyOf) }))
const keys = ringOf('one')
const ada = uuidv7(new Date(0))
const eve = uuidv7(new Date(0))
const code = '0123-4567-89AB-CDEF-GHJK-MNPQ'

describe('a recovery code', () => {
  it('has 120 bits, every one of them random, in six groups of four characters', () => {
    const codes = Array.from({ length: 500 }, newRecoveryCode)
    for (const each of codes) expect(each).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/)
    expect(new Set(codes).size).toBe(500)
    for (let place = 0; place < 29; place++) {
      if (place % 5 !== 4) expect(new Set(codes.map((each) => each[place])).size).toBe(32)
    }
  })

  it.each([
    code.toLowerCase(),
    code.replaceAll('-', ''),
    code.replaceAll('-', ' '),
    ` ${code}\n`,
    code.replaceAll('-', '–'),
    code.replace('0', 'O').replace('1', 'I'),
    code.replace('0', 'o').replace('1', 'l'),
    code.replace('1', 'L'),
  ])('is the same in every spelling: "%s"', async (spelling) => {
    expect(await digestsOfCode(keys, ada, spelling)).toEqual(await digestsOfCode(keys, ada, code))
  })

  it.each(['', '-', code.slice(1), `${code}0`, code.replace('Q', 'U'), code.replace('Q', '!'), code.replace('Q', 'Ä')])(
    'is nothing else: "%s"',
    async (text) => {
      expect(await digestsOfCode(keys, ada, text)).toEqual([])
    },
  )
})

describe('what is stored of a code', () => {
  it('names the key, differs between users, keys and codes, and does not hold the code', async () => {
    const [digest] = await digestsOfCode(keys, ada, code)
    expect(digest).toMatch(/^one\.[\w-]{43}$/)
    expect(digest).not.toContain(code.slice(0, 4))
    const others = [
      ...(await digestsOfCode(keys, eve, code)),
      ...(await digestsOfCode(ringOf('two'), ada, code)),
      ...(await digestsOfCode(keys, ada, code.replace('Q', 'R'))),
    ]
    expect(new Set([digest, ...others]).size).toBe(4)
  })

  it('is found under every key, that of the first key first', async () => {
    expect(await digestsOfCode(ringOf('two', 'one'), ada, code)).toEqual([
      ...(await digestsOfCode(ringOf('two'), ada, code)),
      ...(await digestsOfCode(ringOf('one'), ada, code)),
    ])
  })
})
