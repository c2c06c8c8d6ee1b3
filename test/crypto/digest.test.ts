import { expect, it } from 'vitest'
import { sha1Hex, sha256 } from '../../src/crypto/digest.ts'

/** The example of one block in FIPS 180-2, appendices A.1 and B.1. */
it('digests the example messages of FIPS 180-2 to their published digests', async () => {
  expect(await sha1Hex('abc')).toBe('A9993E364706816ABA3E25717850C26C9CD0D89D')
  expect(await sha256('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0')
})
