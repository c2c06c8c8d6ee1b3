/** The test vectors of docs/decisions/0001-chained-pbkdf2.md, held to the code. Other implementations rely on them. */
import { describe, expect, it } from 'vitest'
import page from '../../docs/decisions/0001-chained-pbkdf2.md?raw'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { productionWork, verifyPassword } from '../../src/crypto/password.ts'

const rows = Array.from(page.matchAll(/^\| `([^`]+)` +\| `([^`]+)` +\|$/gm), ([, first = '', second = '']) => ({
  first,
  second,
}))
const vectors = rows
  .filter(({ second }) => second.startsWith('$'))
  .map(({ first, second }) => ({ password: first, stored: second }))
const peppers = parseSecretKeys(
  JSON.stringify({
    keys: rows
      .filter(({ second }) => !second.startsWith('$'))
      .map(({ first, second }) => ({ kty: 'oct', kid: first, k: second })),
  }),
)

describe('the published test vectors', () => {
  it('cover the work factor of production, another work factor and each pepper', () => {
    const all = vectors.map(({ stored }) => stored).join('\n')
    const { rounds, iterations } = productionWork
    for (const part of [`r=${rounds},i=${iterations},`, 'r=1,i=1000,', ...peppers.map(({ kid }) => `p=${kid}$`)]) {
      expect(all).toContain(part)
    }
  })

  it.each(vectors)(
    'match their password in NFC and NFD, and no other password: $stored',
    async ({ password, stored }) => {
      const matches = async (text: string) => (await verifyPassword(text, stored, productionWork, peppers)).matches
      for (const form of ['NFC', 'NFD']) expect(await matches(password.normalize(form))).toBe(true)
      expect(await matches(`${password} `)).toBe(false)
    },
  )
})
