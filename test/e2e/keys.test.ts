import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSecretKeys, parseSigningKeys } from '../../src/crypto/keys.ts'
import { generateSecrets } from '../../tools/keys/generate.ts'

test('the service reads the secrets that are generated for it', async () => {
  const secrets = generateSecrets()
  const [signing, ...others] = await parseSigningKeys(secrets.SIGNING_KEYS)
  assert.equal(signing.alg, 'EdDSA')
  assert.deepEqual(others, [])
  for (const text of [secrets.TOKEN_KEYS, secrets.PASSWORD_PEPPER, secrets.DATA_KEYS]) {
    const [{ key }, ...rest] = parseSecretKeys(text)
    assert.equal(key.byteLength, 32)
    assert.deepEqual(rest, [])
  }
})

test('no two secrets are alike', () => {
  const texts = [generateSecrets(), generateSecrets()].flatMap((secrets) => Object.values(secrets))
  const keys = texts.map((text) => JSON.parse(text).keys[0])
  assert.equal(new Set(keys.map(({ d, k }) => d ?? k)).size, 8)
  assert.equal(new Set(keys.map(({ kid }) => kid)).size, 8)
})
