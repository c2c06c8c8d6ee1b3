/** The test vectors of docs/decisions/0001-chained-pbkdf2.md, held to the code. Other implementations rely on them. */
import { describe, expect, it } from 'vitest'
import page from '../../docs/decisions/0001-chained-pbkdf2.md?raw'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { productionWork, verifyPassword } from '../../src/crypto/password.ts'
import { bytesOfHex, readHash } from '../support/stored-hash.ts'

const rows = Array.from(page.matchAll(/^\| `([^`]+)` +\| `([^`]+)` +\|$/gm), ([, first = '', second = '']) => ({
  first,
  second,
}))
const isStored = (text: string) => /^01[0-9a-f]{100,}$/.test(text)
const vectors = rows
  .filter(({ second }) => isStored(second))
  .map(({ first, second }) => ({ password: first, hex: second, stored: bytesOfHex(second) }))
const peppers = parseSecretKeys(
  JSON.stringify({
    keys: rows
      .filter(({ second }) => !isStored(second))
      .map(({ first, second }) => ({ kty: 'oct', kid: first, k: second })),
  }),
)

describe('the published test vectors', () => {
  it('cover the work factor of production, another work factor and each pepper', () => {
    const all = vectors.map(({ hex }) => readHash(hex))
    for (const work of [productionWork, { rounds: 1, iterations: 1000 }]) {
      expect(all).toContainEqual(expect.objectContaining(work))
    }
    expect(new Set(all.map(({ pepper }) => pepper))).toEqual(new Set(peppers.map(({ kid }) => kid)))
  })

  it.each(vectors)('match their password in NFC and NFD, and no other password: $hex', async ({ password, stored }) => {
    const matches = async (text: string) => (await verifyPassword(text, stored, productionWork, peppers)).matches
    for (const form of ['NFC', 'NFD']) expect(await matches(password.normalize(form))).toBe(true)
    expect(await matches(`${password} `)).toBe(false)
  })
})
