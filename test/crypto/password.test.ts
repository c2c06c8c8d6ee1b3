/**
 * The vectors of PBKDF2 itself are published: RFC 7914 §11 and, for SHA-256, those in the form of RFC 6070
 * (https://stackoverflow.com/a/5136918, checked again by many libraries since).
 *
 * The vectors of the stored hash are our own. Two implementations that share no code with this one computed them and agree,
 * OpenSSL through node:crypto and Python's hashlib:
 *
 *     let out = Buffer.from([0, 1, …, 15])
 *     for (let round = 0; round < 24; round++) out = pbkdf2Sync(password.normalize('NFC'), out, 25_000, 32, 'sha256')
 *     createHmac('sha256', pepper).update(out).digest('hex')
 */
import { afterEach, describe, expect, vi } from 'vitest'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import {
  type StoredHash,
  type WorkFactor,
  hashPassword,
  maxIterationsPerCall,
  productionWork,
  stretch,
  verifyPassword,
} from '../../src/crypto/password.ts'
import { Caller } from '../support/caller.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { startService } from '../support/service.ts'
import { hexOf as hex } from '../support/readable.ts'
import { rowOf } from '../support/state.ts'
import { type HashParts, readHash, writeHash } from '../support/stored-hash.ts'
import { testSecrets } from '../support/test-secrets.ts'

const peppers = parseSecretKeys(testSecrets.PASSWORD_PEPPER)
const olderPepper = { kty: 'oct', kid: 'older-pepper', k: 'b2xkZXItb2xkZXItb2xkZXItb2xkZXItb2xkZXItb2xkZXI' }
const newerPepper = { kty: 'oct', kid: 'newer-pepper', k: 'bmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXI' }
const testPepper = JSON.parse(testSecrets.PASSWORD_PEPPER).keys[0]

/** A cheap work factor of more than one round. */
const work = { rounds: 3, iterations: 500 }

const octets = (text: string) => Uint8Array.from(new TextEncoder().encode(text))
const ringOf = (...keys: unknown[]) => parseSecretKeys(JSON.stringify({ keys }))

/** Counts the iterations of PBKDF2 from now on. */
function countWork() {
  const spy = vi.spyOn(crypto.subtle, 'deriveBits')
  const iterations = () => spy.mock.calls.map(([algorithm]) => (algorithm as { iterations: number }).iterations)
  return {
    calls: iterations,
    total: () => iterations().reduce((sum, each) => sum + each, 0),
    clear: () => spy.mockClear(),
  }
}

afterEach(() => void vi.restoreAllMocks())

describe('one round gives the published output of PBKDF2-HMAC-SHA-256', () => {
  it.for([
    {
      vector: 'RFC 7914 §11, first',
      password: 'passwd',
      salt: 'salt',
      iterations: 1,
      expected: '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc',
    },
    {
      vector: 'RFC 7914 §11, second',
      password: 'Password',
      salt: 'NaCl',
      iterations: 80_000,
      expected: '4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56',
    },
    {
      vector: 'RFC 6070 style, c = 1',
      password: 'password',
      salt: 'salt',
      iterations: 1,
      expected: '120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b',
    },
    {
      vector: 'RFC 6070 style, c = 2',
      password: 'password',
      salt: 'salt',
      iterations: 2,
      expected: 'ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43',
    },
    {
      vector: 'RFC 6070 style, c = 4096',
      password: 'password',
      salt: 'salt',
      iterations: 4096,
      expected: 'c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a',
    },
    {
      vector: 'RFC 6070 style, long',
      password: 'passwordPASSWORDpassword',
      salt: 'saltSALTsaltSALTsaltSALTsaltSALTsalt',
      iterations: 4096,
      expected: '348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1',
    },
    {
      vector: 'RFC 6070 style, NUL',
      password: 'pass\0word',
      salt: 'sa\0lt',
      iterations: 4096,
      expected: '89b69d0516f829893c696226650a8687',
    },
  ])('for the vector $vector', async ({ password, salt, iterations, expected }) => {
    const output = hex(await stretch(octets(password), octets(salt), { rounds: 1, iterations }))
    expect(output).toHaveLength(64)
    // 32 bytes are PBKDF2's first block, so a longer or shorter published output shares its beginning with ours.
    expect(output.slice(0, expected.length)).toBe(expected)
  })
})

describe('the chain of rounds', () => {
  it('uses the output of a round as the salt of the next', async () => {
    const [password, salt, iterations] = [octets(goodPassword), octets('0123456789abcdef'), 100]
    let output: Uint8Array = salt
    for (let rounds = 1; rounds <= 6; rounds++) {
      output = await stretch(password, output, { rounds: 1, iterations })
      expect(hex(await stretch(password, salt, { rounds, iterations }))).toBe(hex(output))
    }
  })

  it('refuses more iterations per call than a deployed Worker allows, and takes exactly as many', async () => {
    const [password, salt] = [octets('password'), octets('salt')]
    const asked = countWork()
    await expect(stretch(password, salt, { rounds: 1, iterations: maxIterationsPerCall + 1 })).rejects.toThrow(
      RangeError,
    )
    expect(asked.calls()).toEqual([])
    await expect(stretch(password, salt, { rounds: 1, iterations: maxIterationsPerCall })).resolves.toHaveLength(32)
  })

  it('meets the iteration limit of a deployed Worker in tests, where a shim enforces it', async () => {
    const key = await crypto.subtle.importKey('raw', octets('password'), 'PBKDF2', false, ['deriveBits'])
    const derive = (iterations: number) =>
      crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: octets('salt'), iterations }, key, 256)
    expect(() => derive(100_001)).toThrow(/iteration counts above 100000 are not supported/)
    await expect(derive(100_000)).resolves.toHaveProperty('byteLength', 32)
  })
})

describe('a stored hash', () => {
  const salt = '000102030405060708090a0b0c0d0e0f'
  it.for([
    {
      script: 'ASCII',
      password: goodPassword,
      hash: 'd26b2d178bc56b398b6d6842a096e92637d3d540169af8faa6d8a1c1ec34afa7',
    },
    {
      script: 'other scripts, composed and decomposed',
      password: 'пароль-café-🔑-長い鍵',
      hash: 'b6c5d814e970b6a1b2b011ff5fb1152bff76c250218f04d766482c966b54da7a',
    },
  ])(
    'equals what two other implementations compute at the production work factor: $script',
    async ({ password, hash }) => {
      const parameters = { version: 1, rounds: 24, iterations: 25_000, kidLength: 11, pepper: 'test-pepper' }
      const expected = writeHash({ ...parameters, salt, hash })
      const random = vi.spyOn(crypto, 'getRandomValues').mockImplementation((array) => {
        ;(array as unknown as Uint8Array).set(Array.from({ length: 16 }, (_each, index) => index))
        return array
      })
      expect(await hashPassword(password, productionWork, peppers)).toEqual(expected)
      random.mockRestore()
      expect(await verifyPassword(password, expected, productionWork, peppers)).toEqual({
        matches: true,
        needsRehash: false,
      })
      const decomposed = password.normalize('NFD')
      expect((await verifyPassword(decomposed, expected, productionWork, peppers)).matches).toBe(true)
    },
  )

  it('takes 600,000 iterations, in calls that block the isolate for a few milliseconds each', async () => {
    const asked = countWork()
    await hashPassword(goodPassword, productionWork, peppers)
    expect(asked.calls()).toEqual(Array(24).fill(25_000))
  })

  it('has a new salt each time', async () => {
    const stored = await Promise.all(Array.from({ length: 20 }, () => hashPassword(goodPassword, work, peppers)))
    const parts = stored.map((bytes) => readHash(hex(bytes)))
    expect(new Set(parts.map(({ hash }) => hash)).size).toBe(20)
    expect(new Set(parts.map((each) => each.salt)).size).toBe(20)
  })

  // Except for a NUL at the end, which HMAC ignores. Requests with a NUL are refused.
  it('matches its password in NFC and NFD, and nothing else', async () => {
    const password = 'Ünïcode ﬁne Å 東京 '
    const stored = await hashPassword(password, work, peppers)
    const matches = async (attempt: string) => (await verifyPassword(attempt, stored, work, peppers)).matches
    for (const form of ['NFC', 'NFD'] as const) expect(await matches(password.normalize(form))).toBe(true)
    for (const other of [
      password.normalize('NFKC'),
      password.toLowerCase(),
      password.trim(),
      `${password} `,
      password.slice(1),
      '',
      hex(stored),
    ]) {
      expect(await matches(other), JSON.stringify(other)).toBe(false)
    }
  })

  it('covers every character of a long password', async () => {
    const start = '長'.repeat(127)
    const stored = await hashPassword(`${start}a`, work, peppers)
    expect((await verifyPassword(`${start}b`, stored, work, peppers)).matches).toBe(false)
    expect((await verifyPassword(`${start}a`, stored, work, peppers)).matches).toBe(true)
  })

  it('cannot be verified without the pepper', async () => {
    const stored = await hashPassword(goodPassword, work, peppers)
    const impostor = ringOf({ ...testPepper, k: olderPepper.k })
    expect((await verifyPassword(goodPassword, stored, work, impostor)).matches).toBe(false)
  })
})

describe('a malformed hash', async () => {
  // Made from the right password, so that any lenient reading would match.
  const good = await hashPassword(goodPassword, work, peppers)
  const parts = readHash(hex(good))
  const but = (flaw: Partial<HashParts>) => writeHash({ ...parts, ...flaw })
  const { pepper, salt, hash } = parts
  const hostile: [string, StoredHash | null][] = [
    ['none', null],
    ['empty', new Uint8Array()],
    ['the version alone', good.slice(0, 1)],
    ['without salt and hash', good.slice(0, 6 + pepper.length)],
    ['i = 100,001', but({ iterations: 100_001 })],
    ['i = 2^24 - 1', but({ iterations: 2 ** 24 - 1 })],
    ['i = 0', but({ iterations: 0 })],
    ['r = 0', but({ rounds: 0 })],
    ['r = 65', but({ rounds: 65 })],
    ['r = 255', but({ rounds: 255 })],
    ['version 0', but({ version: 0 })],
    ['another version', but({ version: 2 })],
    ['bcrypt', octets('$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy')],
    ['an unknown pepper', but({ pepper: 'lost-pepper' })],
    ['no pepper', but({ pepper: '', kidLength: 0 })],
    ['the length of a shorter kid', but({ kidLength: pepper.length - 1 })],
    ['the length of a longer kid', but({ kidLength: pepper.length + 1 })],
    ['a kid that swallows the salt', but({ kidLength: pepper.length + 16 })],
    ['a kid that swallows everything', but({ kidLength: 255 })],
    ['a short salt', but({ salt: salt.slice(2) })],
    ['a short hash', good.slice(0, -1)],
    ['no hash', but({ hash: '' })],
    ['a long hash', but({ hash: `${hash}00` })],
    ['something before', new Uint8Array([0, ...good])],
    ['its own hex', octets(hex(good))],
    ['the password itself', octets(goodPassword)],
  ]

  it.each(hostile)('never matches, and costs as much work as a good one: $flaw', async (_, stored) => {
    const asked = countWork()
    expect(await verifyPassword(goodPassword, stored, work, peppers)).toEqual({ matches: false, needsRehash: false })
    expect(asked.calls()).toEqual([500, 500, 500])
  })

  it('differs only in its flaw from a hash that matches', async () => {
    expect(await verifyPassword(goodPassword, good, work, peppers)).toEqual({ matches: true, needsRehash: false })
  })

  it('does not include the largest work factor that is accepted', async () => {
    const asked = countWork()
    const largest = but({ rounds: 64, iterations: 100 })
    await verifyPassword(goodPassword, largest, work, peppers)
    expect(asked.calls()).toHaveLength(64)
  })
})

describe('a stored hash of other parameters', () => {
  it.for([
    { parameters: 'fewer rounds', earlier: { rounds: 2, iterations: 500 } },
    { parameters: 'one round of few iterations', earlier: { rounds: 1, iterations: 1 } },
    { parameters: 'fewer iterations', earlier: { rounds: 3, iterations: 499 } },
    { parameters: 'more rounds of fewer iterations', earlier: { rounds: 10, iterations: 100 } },
    { parameters: 'fewer rounds of more iterations', earlier: { rounds: 1, iterations: 1200 } },
  ])('costs as much work as one of today: $parameters', async ({ earlier }) => {
    const stored = await hashPassword(goodPassword, earlier, peppers)
    for (const password of [goodPassword, otherPassword]) {
      const asked = countWork()
      const { matches } = await verifyPassword(password, stored, work, peppers)
      expect(matches).toBe(password === goodPassword)
      expect(asked.total()).toBe(work.rounds * work.iterations)
      expect(Math.max(...asked.calls())).toBeLessThanOrEqual(Math.max(work.iterations, earlier.iterations))
      vi.restoreAllMocks()
    }
  })
})

describe('the pauses of a verification', () => {
  it.for<{ stored: string; earlier: WorkFactor | null }>([
    { stored: 'nothing', earlier: null },
    { stored: 'a hash of today', earlier: work },
    { stored: 'the same work in fewer rounds', earlier: { rounds: 1, iterations: 1500 } },
    { stored: 'less work in fewer rounds', earlier: { rounds: 1, iterations: 1200 } },
    { stored: 'more work in fewer rounds', earlier: { rounds: 2, iterations: 2000 } },
  ])('come before each round, and are as many for any stored hash: $stored', async ({ earlier }) => {
    const stored = earlier && (await hashPassword(goodPassword, earlier, peppers))
    for (const password of [goodPassword, otherPassword]) {
      const steps: string[] = []
      const asked = vi.spyOn(crypto.subtle, 'deriveBits').mockImplementation((...input) => {
        steps.push('round')
        return SubtleCrypto.prototype.deriveBits.apply(crypto.subtle, input)
      })
      await verifyPassword(password, stored, work, peppers, async () => void steps.push('pause'))
      asked.mockRestore()
      expect(steps.filter((step) => step === 'pause')).toHaveLength(work.rounds)
      expect(steps.join(' ')).not.toContain('round round')
      expect(steps[0]).toBe('pause')
    }
  })
})

describe('a stored hash needs a rehash', () => {
  const verify = (stored: StoredHash, today = work, ring = peppers) => verifyPassword(goodPassword, stored, today, ring)

  it.for([
    { work: 'fewer rounds', earlier: { rounds: 2, iterations: 500 } },
    { work: 'more rounds', earlier: { rounds: 4, iterations: 500 } },
    { work: 'fewer iterations', earlier: { rounds: 3, iterations: 499 } },
    { work: 'more iterations', earlier: { rounds: 3, iterations: 501 } },
  ])('if it was made with $work than today', async ({ earlier }) => {
    const stored = await hashPassword(goodPassword, earlier, peppers)
    expect(await verify(stored)).toEqual({ matches: true, needsRehash: true })
    expect(await verify(stored, earlier)).toEqual({ matches: true, needsRehash: false })
  })

  it('if it was made with an older pepper', async () => {
    const stored = await hashPassword(goodPassword, work, ringOf(olderPepper))
    expect(await verify(stored, work, ringOf(testPepper, olderPepper))).toEqual({ matches: true, needsRehash: true })
    expect(await verify(stored, work, ringOf(olderPepper, testPepper))).toEqual({ matches: true, needsRehash: false })
  })

  it('only if the password is right', async () => {
    const stored = await hashPassword(otherPassword, { rounds: 1, iterations: 500 }, ringOf(olderPepper))
    const verdict = await verify(stored, work, ringOf(testPepper, olderPepper))
    expect(verdict).toEqual({ matches: false, needsRehash: false })
  })
})

describe('the password hash of an account', () => {
  const email = 'ada@example.com'
  const storedHash = async () => readHash(String((await rowOf('users', 'email = ?', email))['password_hash']))

  it('is made and checked at the production work factor, in calls that a deployed Worker allows', async () => {
    const service = startService({ platform: { work: productionWork } })
    const people = peopleOf(service)
    const asked = countWork()
    await people.signUp(email)
    expect(asked.total(), 'registration and activation').toBe(2 * 600_000)
    const parameters = { version: 1, rounds: 24, iterations: 25_000, pepper: 'test-pepper' }
    expect(await storedHash()).toMatchObject(parameters)
    asked.clear()
    await people.signIn(email)
    expect(asked.total(), 'sign-in').toBe(600_000)
    asked.clear()
    const unknown = { email: 'nobody@example.com', password: goodPassword }
    await new Caller(service).login(unknown).refused(401, 'invalid_credentials')
    expect(asked.total(), 'sign-in to an unknown account').toBe(600_000)
    expect(Math.max(...asked.calls())).toBe(25_000)
  })

  it('is replaced once, at sign-in, if it was made with cheaper parameters', async ({ ada }) => {
    const cheap = await storedHash()
    expect(cheap).toMatchObject({ rounds: 1, iterations: 1000 })

    const today = startService({ platform: { work: productionWork } })
    const wrong = { email, password: otherPassword }
    await ada.at(today).login(wrong).refused(401, 'invalid_credentials')
    expect(await storedHash(), 'a wrong password changes nothing').toEqual(cheap)

    await ada.at(today).signIn()
    const rehashed = await storedHash()
    expect(rehashed).toMatchObject({ rounds: 24, iterations: 25_000 })
    await ada.at(today).signIn()
    expect(await storedHash()).toEqual(rehashed)
    await ada.at(today).login(wrong).refused(401, 'invalid_credentials')
  })

  it('moves to a new pepper at sign-in, and no longer needs the old one', async () => {
    const withPeppers = (...keys: unknown[]) => startService({ env: { PASSWORD_PEPPER: JSON.stringify({ keys }) } })
    const people = peopleOf(withPeppers(testPepper))
    const ada = await people.signUp(email)
    const late = await people.signUp('late@example.com')

    await ada.at(withPeppers(newerPepper, testPepper)).signIn()
    expect(await storedHash()).toMatchObject({ pepper: 'newer-pepper' })

    const rotated = withPeppers(newerPepper)
    await ada.at(rotated).signIn()
    const credentials = { email: late.email, password: late.password }
    await late.at(rotated).login(credentials).refused(401, 'invalid_credentials')
  })
})
