/** Keys are replaced while the service runs: what was made before goes on working, until its key is retired. */
import { env } from 'cloudflare:workers'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect, it } from 'vitest'
import { countHashesUnder, neededUntil } from '../../tools/keys/dependents.ts'
import {
  type KeySet,
  type SetName,
  type StoredKey,
  announce,
  announcementMs,
  promote,
  readSet,
  retire,
  rotate,
  setNames,
  writeSet,
} from '../../tools/keys/key-set.ts'
import { expectOk, expectProblem } from '../support/answers.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { hashesDuring } from '../support/password-work.ts'
import { goodPassword, newestMail, otherPassword, register, resetToken, signUp, tokenIn } from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'

async function newKey(name: SetName, kid = 'new', curve: 'Ed25519' | 'P-256' = 'Ed25519'): Promise<StoredKey> {
  if (name !== 'SIGNING_KEYS') {
    const k = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
    return { kty: 'oct', kid, k: k.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '') }
  }
  const algorithm = curve === 'P-256' ? { name: 'ECDSA', namedCurve: curve } : { name: curve }
  const pair = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair
  const { kty, crv, x, y, d } = (await crypto.subtle.exportKey('jwk', pair.privateKey)) as JsonWebKey & {
    kty: string
    crv: string
  }
  return { kty, crv, kid, x, d, ...(y !== undefined && { y }) }
}

/** The same deployment after `npm run keys` has changed one of its sets: same data, clock and mailbox. */
function deploy(service: Service, name: SetName, change: (keys: KeySet) => KeySet): Service {
  const { SIGNING_KEYS, TOKEN_KEYS, PASSWORD_PEPPER } = service.env
  const changed = writeSet(change(readSet(service.env[name])))
  return startService({ beside: service, env: { SIGNING_KEYS, TOKEN_KEYS, PASSWORD_PEPPER, [name]: changed } })
}

/** The stages of a rotation in two steps, as docs/keys.md goes through it, from one key `test-…` to one key `new`. */
async function rotateInSteps(service: Service, name: SetName, key?: StoredKey) {
  const added = key ?? (await newKey(name))
  const old = readSet(service.env[name])[0].kid
  const announcedAt = service.clock.now()
  const announced = deploy(service, name, (keys) => announce(keys, added, announcedAt))
  const promotedAt = new Date(announcedAt.getTime() + announcementMs)
  const promoted = deploy(announced, name, (keys) => promote(keys, added.kid, promotedAt))
  const retired = deploy(promoted, name, (keys) => retire(keys, old))
  return { announced, promoted, retired }
}

function refresh(service: Service, token: string): Promise<Answer> {
  return service.call('POST', '/auth/refresh', { body: { refresh_token: token } })
}

function login(service: Service, password = goodPassword, extra: Record<string, unknown> = {}): Promise<Answer> {
  return service.call('POST', '/auth/login', { body: { email, password, ...extra } })
}

function kidOf(token: string): string | undefined {
  return decodeProtectedHeader(token).kid
}

async function jwksOf(service: Service): Promise<Answer> {
  return service.call('GET', '/.well-known/jwks.json')
}

describe('the keys of access tokens', () => {
  it.each(['Ed25519', 'P-256'] as const)(
    'are announced, promoted and retired with no token refused early (%s)',
    async (curve) => {
      const service = startService()
      const { accessToken: before } = await signUp(service, email)
      const { announced, promoted, retired } = await rotateInSteps(
        service,
        'SIGNING_KEYS',
        await newKey('SIGNING_KEYS', 'new', curve),
      )
      const madeWhileAnnounced = expectOk(await login(announced)).access_token
      const after = expectOk(await login(promoted)).access_token
      expect([before, madeWhileAnnounced, after].map(kidOf)).toEqual(['test-signing', 'test-signing', 'new'])

      const all = [before, madeWhileAnnounced, after]
      const accepted = async (at: Service) => {
        const answers = await Promise.all(
          all.flatMap((token) => ['/auth/verify', '/users/me'].map((path) => at.call('GET', path, { token }))),
        )
        return answers.map(({ status }) => status < 300)
      }
      expect(await accepted(announced)).toEqual([true, true, true, true, true, true])
      expect(await accepted(promoted)).toEqual([true, true, true, true, true, true])
      expect(await accepted(retired)).toEqual([false, false, false, false, true, true])
      expectProblem(await retired.call('GET', '/users/me', { token: before }), 401, 'invalid_token')
    },
  )

  it('stand in the JWKS as long as they are in the set, announced ones too, and only their public half', async () => {
    const service = startService()
    const { announced, promoted, retired } = await rotateInSteps(service, 'SIGNING_KEYS')
    const shown = []
    for (const at of [service, announced, promoted, retired]) {
      const { keys } = expectOk(await jwksOf(at))
      shown.push(keys.map(({ kid }: { kid: string }) => kid))
      for (const key of keys) expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
    }
    expect(shown).toEqual([['test-signing'], ['test-signing', 'new'], ['new', 'test-signing'], ['new']])
  })

  it('are announced for longer than anybody may cache the JWKS', async () => {
    const { headers } = await jwksOf(startService())
    const maxAge = Number(/^public, max-age=(\d+)$/.exec(headers.get('Cache-Control') ?? '')?.[1])
    expect(announcementMs).toBeGreaterThan(maxAge * second)
  })

  it('sign nobody out when they are retired: the next refresh brings a token of the new one', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    const { retired } = await rotateInSteps(service, 'SIGNING_KEYS')
    const { access_token: token } = expectOk(await refresh(retired, refreshToken))
    expect(kidOf(token)).toBe('new')
    expectOk(await retired.call('GET', '/users/me', { token }))
  })

  it('are needed for as long as an access token lives', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const keys = rotate(readSet(service.env.SIGNING_KEYS), await newKey('SIGNING_KEYS'), service.clock.now())
    const rotated = deploy(service, 'SIGNING_KEYS', () => keys)
    service.clock.advance(neededUntil('SIGNING_KEYS', keys[1]!)! - service.clock.now().getTime() - second)
    expectOk(await rotated.call('GET', '/users/me', { token }))
    service.clock.advance(second)
    expectProblem(await rotated.call('GET', '/users/me', { token }), 401, 'invalid_token')
  })
})

describe('the keys of refresh tokens and links', () => {
  it('let refresh tokens from before work until they are retired', async () => {
    const service = startService()
    const { refreshToken: before } = await signUp(service, email)
    const { announced, promoted, retired } = await rotateInSteps(service, 'TOKEN_KEYS')
    expectProblem(await refresh(retired, before), 401, 'invalid_refresh_token')
    const second = expectOk(await refresh(announced, before)).refresh_token
    const third = expectOk(await refresh(promoted, second)).refresh_token
    expect([before, second, third].map(kidOf)).toEqual(['test-token', 'test-token', 'new'])
    expectProblem(await refresh(retired, second), 401, 'invalid_refresh_token')
    expectOk(await refresh(retired, third))
  })

  it('let a location that does not know of the promotion yet accept what the others make', async () => {
    const service = startService()
    await signUp(service, email)
    const { announced, promoted } = await rotateInSteps(service, 'TOKEN_KEYS')
    const token = expectOk(await login(promoted)).refresh_token
    expect(kidOf(token)).toBe('new')
    const next = expectOk(await refresh(announced, token)).refresh_token
    expect(kidOf(next)).toBe('test-token')
    expectOk(await refresh(promoted, next))
  })

  it.each(['promoted', 'retired'] as const)(
    'let an activation link from before work, unless retired: %s',
    async (stage) => {
      const service = startService()
      const token = await register(service, email)
      const stages = await rotateInSteps(service, 'TOKEN_KEYS')
      const answer = await stages[stage].call('POST', '/auth/activate', { body: { token, password: goodPassword } })
      if (stage === 'promoted') expectOk(answer)
      else expectProblem(answer, 400, 'invalid_link')
      // Whoever asks again gets one that is good.
      if (stage === 'retired') {
        await stages.retired.call('POST', '/auth/resend-activation', { body: { email } })
        await stages.retired.deliver()
        const anew = tokenIn(newestMail(service, email))
        expect(kidOf(anew)).toBe('new')
        const body = { token: anew, password: goodPassword }
        expectOk(await stages.retired.call('POST', '/auth/activate', { body }))
      }
    },
  )

  it.each(['promoted', 'retired'] as const)('let a reset link from before work, unless retired: %s', async (stage) => {
    const service = startService()
    await signUp(service, email)
    const token = await resetToken(service, email)
    const stages = await rotateInSteps(service, 'TOKEN_KEYS')
    const body = { token, new_password: otherPassword }
    const answer = await stages[stage].call('POST', '/auth/password-reset/complete', { body })
    if (stage === 'promoted') expect(answer.status).toBe(204)
    else expectProblem(answer, 400, 'invalid_link')
    expect((await login(stages[stage], otherPassword)).status).toBe(stage === 'promoted' ? 200 : 401)
  })

  it('let a mail that was queued before carry a link of the new key', async () => {
    const service = startService()
    await service.call('POST', '/auth/register', { body: { email, password: goodPassword } })
    const { retired } = await rotateInSteps(service, 'TOKEN_KEYS')
    retired.queued.push(...service.queued.splice(0))
    await retired.deliver()
    const token = tokenIn(newestMail(service, email))
    expect(kidOf(token)).toBe('new')
    expectOk(await retired.call('POST', '/auth/activate', { body: { token, password: goodPassword } }))
  })

  it('make a device a stranger when they are retired, and no more than that', async () => {
    const service = startService()
    await signUp(service, email)
    const { promoted, retired } = await rotateInSteps(service, 'TOKEN_KEYS')
    const { device_token } = expectOk(await login(service))
    const { device_token: known } = expectOk(await login(promoted, goodPassword, { device_token }))
    const { device_token: stranger } = expectOk(await login(retired, goodPassword, { device_token }))
    expect(decodeJwt(known).jti).toBe(decodeJwt(device_token).jti)
    expect(decodeJwt(stranger).jti).not.toBe(decodeJwt(device_token).jti)
  })

  it('are needed for as long as a session may idle, and not for as long as it may live', async () => {
    const service = startService()
    const { refreshToken: idle } = await signUp(service, email)
    const busy = expectOk(await login(service)).refresh_token
    const keys = rotate(readSet(service.env.TOKEN_KEYS), await newKey('TOKEN_KEYS'), service.clock.now())
    const rotated = deploy(service, 'TOKEN_KEYS', () => keys)
    const retired = deploy(rotated, 'TOKEN_KEYS', (set) => retire(set, 'test-token'))
    service.clock.advance(29 * day)
    const renewed = expectOk(await refresh(rotated, busy)).refresh_token
    service.clock.advance(neededUntil('TOKEN_KEYS', keys[1]!)! - service.clock.now().getTime())
    expectProblem(await refresh(rotated, idle), 401, 'invalid_refresh_token')
    expectOk(await refresh(retired, renewed))
  })
})

describe('the peppers of passwords', () => {
  async function counts(pepperId: string): Promise<{ users: number; registrations: number } | null> {
    return env.DB.prepare(countHashesUnder(pepperId)).first()
  }

  async function storedHash(): Promise<string> {
    return String((await rowOf('users', 'email = ?', email))['password_hash'])
  }

  it('change with the next sign-in, once, and the count tells when the old one may go', async () => {
    const service = startService()
    await signUp(service, email)
    await register(service, 'bob@example.com')
    const before = await storedHash()
    expect(await counts('test-pepper')).toEqual({ users: 1, registrations: 1 })
    const { announced, promoted, retired } = await rotateInSteps(service, 'PASSWORD_PEPPER')

    expectOk(await login(announced))
    expect(await storedHash()).toBe(before)
    expectOk(await login(promoted))
    const after = await storedHash()
    expect(after).toMatch(/,p=new\$/)
    expectOk(await login(promoted))
    expect(await storedHash()).toBe(after)
    expect(await counts('test-pepper')).toEqual({ users: 0, registrations: 1 })
    expect(await counts('new')).toEqual({ users: 1, registrations: 0 })
    // An id that looks like a pattern, or like the beginning of another, counts nothing else.
    expect(await counts('te_t-pepper')).toEqual({ users: 0, registrations: 0 })
    expect(await counts('test-peppe')).toEqual({ users: 0, registrations: 0 })
    expectOk(await login(retired))
  })

  it('let everybody in who signs in at once, though the first of them changes the hash that the others compared with', async () => {
    const service = startService()
    const { promoted } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    for (let round = 0; round < 10; round++) {
      const address = `racer-${round}@example.com`
      await signUp(service, address)
      await write('insert or replace into attempt_counters values (?, -1000, 0, 0)', `account:${address}`)
      const body = { email: address, password: goodPassword }
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => promoted.call('POST', '/auth/login', { body })),
      )
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      expect(await rowsOf('sessions', 'user_id = (select id from users where email = ?)', address)).toHaveLength(21)
      expect((await rowOf('users', 'email = ?', address))['password_hash']).toMatch(/,p=new\$/)
    }
  })

  it.each<[string, string, string, object]>([
    ['change', 'POST', '/auth/change-password', { old_password: goodPassword, new_password: otherPassword }],
    ['deletion', 'DELETE', '/users/me', { password: goodPassword }],
  ])('do not keep a %s from its password when a sign-in hashes it anew meanwhile', async (_, method, path, body) => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const { promoted } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    const before = await storedHash()
    let isHashedAnew = false
    const DB = hookedD1(service.env.DB, async (statements) => {
      if (isHashedAnew || !statements.some((sql) => /^insert into "audit_events"/i.test(sql))) return
      isHashedAnew = true
      expectOk(await login(promoted))
      expect(await storedHash()).not.toBe(before)
    })
    const late = startService({ env: { ...promoted.env, DB }, beside: service })
    expect((await late.call(method, path, { token, body })).status).toBe(204)
    expect(isHashedAnew).toBe(true)
    expectProblem(await login(promoted), 401, 'invalid_credentials')
  })

  it('are announced so that a location that does not know of the promotion yet can compare', async () => {
    const service = startService()
    await signUp(service, email)
    const { announced, promoted } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    expectOk(await login(promoted))
    expectOk(await login(announced))
    expectOk(await login(promoted))
  })

  it('take their passwords along when they are retired: none is right, with the work done all the same', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const { promoted, retired } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    const usual = await hashesDuring(async () => expect((await login(promoted, otherPassword)).status).toBe(401))
    const works = await hashesDuring(async () => expectProblem(await login(retired), 401, 'invalid_credentials'))
    expect(works).toBe(usual)
    expect(works).toBeGreaterThan(0)
    const change = { old_password: goodPassword, new_password: otherPassword }
    expectProblem(await retired.call('POST', '/auth/change-password', { token, body: change }), 403, 'wrong_password')
    expectProblem(
      await retired.call('DELETE', '/users/me', { token, body: { password: goodPassword } }),
      403,
      'wrong_password',
    )

    const link = await resetToken(retired, email)
    const body = { token: link, new_password: otherPassword }
    expect((await retired.call('POST', '/auth/password-reset/complete', { body })).status).toBe(204)
    expectOk(await login(retired, otherPassword))
    expect(await storedHash()).toMatch(/,p=new\$/)
  })

  it.each(['promoted', 'retired'] as const)('hold a registration from before, unless retired: %s', async (stage) => {
    const service = startService()
    const token = await register(service, email)
    const stages = await rotateInSteps(service, 'PASSWORD_PEPPER')
    const body = { token, password: goodPassword }
    const answer = await stages[stage].call('POST', '/auth/activate', { body })
    if (stage === 'retired') return expectProblem(answer, 401, 'invalid_credentials')
    expectOk(answer)
    expectOk(await login(stages[stage]))
    expect(await storedHash()).toMatch(/,p=new\$/)
  })
})

describe('several rotations', () => {
  it('keep everybody in who comes back between two of them', async () => {
    let service = startService()
    let { refreshToken } = await signUp(service, email)
    for (let round = 0; round < 5; round++) {
      for (const name of setNames) {
        const key = await newKey(name, `${name}-${round}`)
        const now = service.clock.now()
        service = deploy(service, name, (keys) => rotate(keys, key, now))
      }
      refreshToken = expectOk(await refresh(service, refreshToken)).refresh_token
      expectOk(await login(service))
      for (const name of setNames) service = deploy(service, name, (keys) => retire(keys, keys[1]!.kid))
      refreshToken = expectOk(await refresh(service, refreshToken)).refresh_token
      expectOk(await login(service))
      service.clock.advance(hour + minute)
    }
  })
})

describe('a set that is not fit', () => {
  const key = (bytes: number, kid = 'a') => ({
    kty: 'oct',
    kid,
    k: btoa('k'.repeat(bytes)).replaceAll('=', ''),
  })
  const set = (...keys: object[]) => JSON.stringify({ keys })
  const bad: [set: SetName, text: string, problem: RegExp][] = [
    ...(['TOKEN_KEYS', 'PASSWORD_PEPPER'] as const).flatMap((name): [SetName, string, RegExp][] => [
      [name, set(key(31)), /key "a" is shorter than 32 bytes/],
      [name, set(key(32), key(16, 'b')), /key "b" is shorter than 32 bytes/],
      [name, set(key(32), key(32)), /holds the "kid" "a" twice/],
      [name, set(key(32, 'has space')), /holds a "kid" that is not/],
      [name, set(), /holds no key/],
      [name, '', /is not set/],
      [name, 'hunter2-hunter2-hunter2-hunter2-hunter2', /is not JSON/],
      [name, set({ kty: 'RSA', kid: 'a', n: 'x' }), /not of type "oct"/],
    ]),
    ['SIGNING_KEYS', set(key(32)), /key "a" is neither/],
    ['SIGNING_KEYS', set({ kty: 'OKP', crv: 'Ed25519', kid: 'a', x: 'AAAA', d: 'AAAA' }), /key "a" does not import/],
    ['SIGNING_KEYS', set({ kty: 'RSA', kid: 'a', n: 'AAAA', d: 'AAAA' }), /key "a" is neither/],
    ['SIGNING_KEYS', set(), /holds no key/],
  ]

  it.each(bad.map(([name, text, problem]) => [name, problem, text] as const))(
    'refuses to serve, and says why without a word of it: %s %s',
    async (name, problem, text) => {
      const service = startService({ env: { [name]: text } })
      const log = captureLog()
      expectProblem(await login(service), 503, 'service_unavailable')
      expectProblem(await service.call('GET', '/.well-known/jwks.json'), 503, 'service_unavailable')
      const [entry] = log.entries('config.invalid')
      expect(entry.problems).toEqual([expect.stringMatching(problem)])
      expect(entry.problems[0]).toMatch(new RegExp(`^${name} `))
      for (const material of text.match(/[\w-]{20,}/g) ?? []) expect(log.lines.join('\n')).not.toContain(material)
    },
  )
})
