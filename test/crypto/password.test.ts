/**
 * The vectors of the primitive are published: RFC 7914 §11 and, for SHA-256, those in the form of RFC 6070
 * (https://stackoverflow.com/a/5136918, checked again by many libraries since).
 *
 * Those of the stored text are ours. They were computed by two implementations that share no code with this one,
 * OpenSSL through node:crypto and Python's hashlib, which agree:
 *
 *     let out = Buffer.from([0, 1, …, 15])
 *     for (let round = 0; round < 6; round++) out = pbkdf2Sync(password.normalize('NFC'), out, 100_000, 32, 'sha256')
 *     createHmac('sha256', pepper).update(out).digest('base64url')
 */
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import {
  hashPassword,
  maxIterationsPerCall,
  productionWork,
  stretch,
  verifyPassword,
} from '../../src/crypto/password.ts'
import { goodPassword, otherPassword, signIn, signUp } from '../support/people.ts'
import { startService } from '../support/service.ts'
import { testSecrets } from '../support/test-secrets.ts'

const peppers = parseSecretKeys(testSecrets.PASSWORD_PEPPER)
const olderPepper = { kty: 'oct', kid: 'older-pepper', k: 'b2xkZXItb2xkZXItb2xkZXItb2xkZXItb2xkZXItb2xkZXI' }
const newerPepper = { kty: 'oct', kid: 'newer-pepper', k: 'bmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXItbmV3ZXI' }
const testPepper = JSON.parse(testSecrets.PASSWORD_PEPPER).keys[0]

/** Cheap, and of more than one round. */
const work = { rounds: 3, iterations: 500 }

const octets = (text: string) => new TextEncoder().encode(text)
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const ringOf = (...keys: unknown[]) => parseSecretKeys(JSON.stringify({ keys }))

/** How much PBKDF2 was asked for since. */
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

describe('one round is PBKDF2-HMAC-SHA-256', () => {
  it.each([
    ['RFC 7914 §11, first', 'passwd', 'salt', 1, '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc'],
    [
      'RFC 7914 §11, second',
      'Password',
      'NaCl',
      80_000,
      '4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56',
    ],
    [
      'RFC 6070 style, c = 1',
      'password',
      'salt',
      1,
      '120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b',
    ],
    [
      'RFC 6070 style, c = 2',
      'password',
      'salt',
      2,
      'ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43',
    ],
    [
      'RFC 6070 style, c = 4096',
      'password',
      'salt',
      4096,
      'c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a',
    ],
    [
      'RFC 6070 style, long',
      'passwordPASSWORDpassword',
      'saltSALTsaltSALTsaltSALTsaltSALTsalt',
      4096,
      '348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1',
    ],
    ['RFC 6070 style, NUL', 'pass\0word', 'sa\0lt', 4096, '89b69d0516f829893c696226650a8687'],
  ])('%s', async (_, password, salt, iterations, expected) => {
    const output = hex(await stretch(octets(password), octets(salt), { rounds: 1, iterations }))
    expect(output).toHaveLength(64)
    // 32 bytes are PBKDF2's first block, so a longer or shorter published output shares its beginning with ours.
    expect(output.slice(0, expected.length)).toBe(expected)
  })
})

describe('the chain', () => {
  it('takes the output of a round as the salt of the next', async () => {
    const [password, salt, iterations] = [octets(goodPassword), octets('0123456789abcdef'), 100]
    let output = salt
    for (let rounds = 1; rounds <= 6; rounds++) {
      output = await stretch(password, output, { rounds: 1, iterations })
      expect(hex(await stretch(password, salt, { rounds, iterations }))).toBe(hex(output))
    }
  })

  it('is refused where a deployed Worker would refuse it, and not a single iteration earlier', async () => {
    const [password, salt] = [octets('password'), octets('salt')]
    const asked = countWork()
    await expect(stretch(password, salt, { rounds: 1, iterations: maxIterationsPerCall + 1 })).rejects.toThrow(
      RangeError,
    )
    expect(asked.calls()).toEqual([])
    await expect(stretch(password, salt, { rounds: 1, iterations: maxIterationsPerCall })).resolves.toHaveLength(32)
  })

  it('could not be told otherwise by this runtime: the refusal is the shim of every test', async () => {
    const key = await crypto.subtle.importKey('raw', octets('password'), 'PBKDF2', false, ['deriveBits'])
    const derive = (iterations: number) =>
      crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: octets('salt'), iterations }, key, 256)
    expect(() => derive(100_001)).toThrow(/iteration counts above 100000 are not supported/)
    await expect(derive(100_000)).resolves.toHaveProperty('byteLength', 32)
  })
})

describe('the stored text', () => {
  const salt = 'AAECAwQFBgcICQoLDA0ODw'
  it.each([
    ['ASCII', goodPassword, 'X8GIxqb7vLiEWi3_JbNwPoNpwBDJdOWVQmk-sZllYJg'],
    ['other scripts, composed and decomposed', 'пароль-café-🔑-長い鍵', 'HrFxckPASwNfu_I8pTbV13PSfNyOpJ7m-10YitztL3U'],
  ])('is what two other implementations compute at the work of production: %s', async (_, password, hash) => {
    const expected = `$pbkdf2-sha256-chain$v=1$r=6,i=100000,p=test-pepper$${salt}$${hash}`
    const random = vi.spyOn(crypto, 'getRandomValues').mockImplementation((array) => {
      ;(array as unknown as Uint8Array).set(Array.from({ length: 16 }, (_each, index) => index))
      return array
    })
    expect(await hashPassword(password, productionWork, peppers)).toBe(expected)
    random.mockRestore()
    expect(await verifyPassword(password, expected, productionWork, peppers)).toEqual({
      matches: true,
      needsRehash: false,
    })
    const decomposed = password.normalize('NFD')
    expect((await verifyPassword(decomposed, expected, productionWork, peppers)).matches).toBe(true)
  })

  it('is 600,000 iterations of work, none of them above what a call may do', async () => {
    const asked = countWork()
    await hashPassword(goodPassword, productionWork, peppers)
    expect(asked.calls()).toEqual(Array(6).fill(100_000))
  })

  it('has a salt of its own each time', async () => {
    const texts = await Promise.all(Array.from({ length: 20 }, () => hashPassword(goodPassword, work, peppers)))
    expect(new Set(texts).size).toBe(20)
    expect(new Set(texts.map((text) => text.split('$')[4])).size).toBe(20)
  })

  // But for NUL at the end, to which HMAC is blind: the door lets none in.
  it('matches its password in any normal form of it, and nothing else', async () => {
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
      stored,
    ]) {
      expect(await matches(other), JSON.stringify(other)).toBe(false)
    }
  })

  it('stands for the whole of a long password', async () => {
    const start = '長'.repeat(127)
    const stored = await hashPassword(`${start}a`, work, peppers)
    expect((await verifyPassword(`${start}b`, stored, work, peppers)).matches).toBe(false)
    expect((await verifyPassword(`${start}a`, stored, work, peppers)).matches).toBe(true)
  })

  it('is worth nothing without the pepper', async () => {
    const stored = await hashPassword(goodPassword, work, peppers)
    const impostor = ringOf({ ...testPepper, k: olderPepper.k })
    expect((await verifyPassword(goodPassword, stored, work, impostor)).matches).toBe(false)
  })
})

describe('a text that is no hash of ours', async () => {
  // Of the very password, so that any leniency would let it in.
  const good = await hashPassword(goodPassword, work, peppers)
  const [salt, hash] = good.split('$').slice(4) as [string, string]
  const hostile: [string, string | null][] = [
    ['none', null],
    ['empty', ''],
    ['i = 100,001', good.replace('i=500', 'i=100001')],
    ['i = 999,999', good.replace('i=500', 'i=999999')],
    ['i of seven digits', good.replace('i=500', 'i=1000000')],
    ['i = 0', good.replace('i=500', 'i=0')],
    ['i negative', good.replace('i=500', 'i=-500')],
    ['i in exponent', good.replace('i=500', 'i=5e2')],
    ['r = 0', good.replace('r=3', 'r=0')],
    ['r = 65', good.replace('r=3', 'r=65')],
    ['r = 99', good.replace('r=3', 'r=99')],
    ['r = 100', good.replace('r=3', 'r=100')],
    ['another version', good.replace('v=1', 'v=2')],
    ['another scheme', good.replace('pbkdf2-sha256-chain', 'pbkdf2-sha256')],
    ['bcrypt', '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
    ['an unknown pepper', good.replace('test-pepper', 'lost-pepper')],
    ['a short salt', good.replace(salt, 'AAEC')],
    ['a short hash', good.slice(0, -1)],
    ['a long hash', `${good}A`],
    ['something before', `x${good}`],
    ['a line more', `${good}\n`],
    ['not base64url', good.replace(hash, `+${hash.slice(1)}`)],
    ['the password itself', goodPassword],
  ]

  it.each(hostile)('never matches and costs all the work of today: %s', async (_, stored) => {
    const asked = countWork()
    expect(await verifyPassword(goodPassword, stored, work, peppers)).toEqual({ matches: false, needsRehash: false })
    expect(asked.calls()).toEqual([500, 500, 500])
  })

  it('is told from one that is', async () => {
    expect(await verifyPassword(goodPassword, good, work, peppers)).toEqual({ matches: true, needsRehash: false })
  })

  it('is told from the largest work that is ours', async () => {
    const asked = countWork()
    const largest = good.replace('r=3,i=500', 'r=64,i=100')
    await verifyPassword(goodPassword, largest, work, peppers)
    expect(asked.calls()).toHaveLength(64)
  })
})

describe('a hash asks to be made again', () => {
  const verify = (stored: string, today = work, ring = peppers) => verifyPassword(goodPassword, stored, today, ring)

  it.each([
    ['fewer rounds', { rounds: 2, iterations: 500 }],
    ['more rounds', { rounds: 4, iterations: 500 }],
    ['fewer iterations', { rounds: 3, iterations: 499 }],
    ['more iterations', { rounds: 3, iterations: 501 }],
  ])('when it was made with %s than today', async (_, then) => {
    const stored = await hashPassword(goodPassword, then, peppers)
    expect(await verify(stored)).toEqual({ matches: true, needsRehash: true })
    expect(await verify(stored, then)).toEqual({ matches: true, needsRehash: false })
  })

  it('when it was made with an older pepper', async () => {
    const stored = await hashPassword(goodPassword, work, ringOf(olderPepper))
    expect(await verify(stored, work, ringOf(testPepper, olderPepper))).toEqual({ matches: true, needsRehash: true })
    expect(await verify(stored, work, ringOf(olderPepper, testPepper))).toEqual({ matches: true, needsRehash: false })
  })

  it('only when the password is right', async () => {
    const stored = await hashPassword(otherPassword, { rounds: 1, iterations: 500 }, ringOf(olderPepper))
    const verdict = await verify(stored, work, ringOf(testPepper, olderPepper))
    expect(verdict).toEqual({ matches: false, needsRehash: false })
  })
})

describe('through the service', () => {
  const storedHash = (email: string) =>
    env.DB.prepare('select password_hash as hash from users where email = ?').bind(email).first<string>('hash')

  it('signs up and in at the real work factor, in calls that a deployed Worker takes', async () => {
    const service = startService({ platform: { work: productionWork } })
    const asked = countWork()
    await signUp(service, 'ada@example.com')
    expect(asked.total(), 'registration and activation').toBe(2 * 600_000)
    expect(await storedHash('ada@example.com')).toMatch(/^\$pbkdf2-sha256-chain\$v=1\$r=6,i=100000,p=test-pepper\$/)
    asked.clear()
    await signIn(service, 'ada@example.com')
    expect(asked.total(), 'sign-in').toBe(600_000)
    asked.clear()
    const unknown = { email: 'nobody@example.com', password: goodPassword }
    expect((await service.call('POST', '/auth/login', { body: unknown })).status).toBe(401)
    expect(asked.total(), 'sign-in of nobody').toBe(600_000)
    expect(Math.max(...asked.calls())).toBe(100_000)
  })

  it('brings a hash of cheaper parameters to those of today at sign-in, once', async () => {
    await signUp(startService(), 'ada@example.com')
    const cheap = await storedHash('ada@example.com')
    expect(cheap).toContain('$r=1,i=1000,')

    const today = startService({ platform: { work: productionWork } })
    const wrong = { email: 'ada@example.com', password: otherPassword }
    expect((await today.call('POST', '/auth/login', { body: wrong })).status).toBe(401)
    expect(await storedHash('ada@example.com'), 'a wrong password changes nothing').toBe(cheap)

    await signIn(today, 'ada@example.com')
    const rehashed = await storedHash('ada@example.com')
    expect(rehashed).toContain('$r=6,i=100000,')
    await signIn(today, 'ada@example.com')
    expect(await storedHash('ada@example.com')).toBe(rehashed)
    expect((await today.call('POST', '/auth/login', { body: wrong })).status).toBe(401)
  })

  it('moves accounts to a new pepper as they sign in, and then does without the old one', async () => {
    const withPeppers = (...keys: unknown[]) => startService({ env: { PASSWORD_PEPPER: JSON.stringify({ keys }) } })
    await signUp(withPeppers(testPepper), 'ada@example.com')
    await signUp(withPeppers(testPepper), 'late@example.com')

    await signIn(withPeppers(newerPepper, testPepper), 'ada@example.com')
    expect(await storedHash('ada@example.com')).toContain(',p=newer-pepper$')

    const rotated = withPeppers(newerPepper)
    await signIn(rotated, 'ada@example.com')
    const late = { email: 'late@example.com', password: goodPassword }
    expect((await rotated.call('POST', '/auth/login', { body: late })).json).toMatchObject({
      code: 'invalid_credentials',
    })
  })
})
