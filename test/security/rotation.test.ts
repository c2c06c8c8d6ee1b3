/** Keys are replaced while the service runs: what a key made works until the key is retired. */
import { env } from 'cloudflare:workers'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect } from 'vitest'
import { neededUntil } from '../../tools/keys/dependents.ts'
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
import { countHashesUnder } from '../../tools/keys/uses.ts'
import { expectProblem } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { interrupt } from '../support/hooked-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { hashesDuring } from '../support/password-work.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { setAttempts } from '../support/rows.ts'
import { type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf } from '../support/state.ts'
import { readHash } from '../support/stored-hash.ts'

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

/** The same deployment after `npm run keys` has changed one of its sets, with the same data, clock and mailbox. */
function deploy(service: Service, name: SetName, change: (keys: KeySet) => KeySet): Service {
  const { SIGNING_KEYS, TOKEN_KEYS, PASSWORD_PEPPER, DATA_KEYS } = service.env
  const changed = writeSet(change(readSet(service.env[name])))
  return startService({
    beside: service,
    env: { SIGNING_KEYS, TOKEN_KEYS, PASSWORD_PEPPER, DATA_KEYS, [name]: changed },
  })
}

/** The stages of a rotation in two steps, as in docs/keys.md, from one key `test-…` to one key `new`. */
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

const stageNames = [{ stage: 'promoted' }, { stage: 'retired' }] as const

/** Signs in at a service. */
function login(service: Service, password = goodPassword, more: { device_token?: string } = {}) {
  return new Caller(service).login({ email, password, ...more })
}

const change = { old_password: goodPassword, new_password: otherPassword }

function kidOf(token: string): string | undefined {
  return decodeProtectedHeader(token).kid
}

describe('the keys of access tokens', () => {
  it.for([{ curve: 'Ed25519' }, { curve: 'P-256' }] as const)(
    'are announced, promoted and retired with no token refused early ($curve)',
    async ({ curve }, { service, ada }) => {
      const { announced, promoted, retired } = await rotateInSteps(
        service,
        'SIGNING_KEYS',
        await newKey('SIGNING_KEYS', 'new', curve),
      )
      const madeWhileAnnounced = ada.holding(await login(announced))
      const after = ada.holding(await login(promoted))
      const all = [ada, madeWhileAnnounced, after]
      expect(all.map(({ accessToken }) => kidOf(accessToken))).toEqual(['test-signing', 'test-signing', 'new'])

      const accepted = async (stage: Service) => {
        const answers = await Promise.all(
          all.flatMap((person) => [person.at(stage).verify().answer, person.at(stage).me().answer]),
        )
        return answers.map(({ status }) => status < 300)
      }
      expect(await accepted(announced)).toEqual([true, true, true, true, true, true])
      expect(await accepted(promoted)).toEqual([true, true, true, true, true, true])
      expect(await accepted(retired)).toEqual([false, false, false, false, true, true])
      await ada.at(retired).me().refused(401, 'invalid_token')
    },
  )

  it('are published in the JWKS while they are in the set, announced ones too, without the private half', async ({
    service,
    anonymous,
  }) => {
    const { announced, promoted, retired } = await rotateInSteps(service, 'SIGNING_KEYS')
    const shown = []
    for (const stage of [service, announced, promoted, retired]) {
      const { keys } = await anonymous.at(stage).getKeys()
      shown.push(keys.map(({ kid }) => kid))
      for (const key of keys) expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
    }
    expect(shown).toEqual([['test-signing'], ['test-signing', 'new'], ['new', 'test-signing'], ['new']])
  })

  it('are announced for longer than anybody may cache the JWKS', async ({ anonymous }) => {
    const { headers } = await anonymous.getKeys().answer
    const maxAge = Number(/^public, max-age=(\d+)$/.exec(headers.get('Cache-Control') ?? '')?.[1])
    expect(announcementMs).toBeGreaterThan(maxAge * second)
  })

  it('sign nobody out when they are retired: the next refresh gives a token of the new key', async ({
    service,
    ada,
  }) => {
    const { retired } = await rotateInSteps(service, 'SIGNING_KEYS')
    const renewed = await ada.at(retired).renewed()
    expect(kidOf(renewed.accessToken)).toBe('new')
    await renewed.me()
  })

  it('are needed as long as an access token lives', async ({ service, clock, ada }) => {
    const keys = rotate(readSet(service.env.SIGNING_KEYS), await newKey('SIGNING_KEYS'), clock.now())
    const rotated = deploy(service, 'SIGNING_KEYS', () => keys)
    clock.advance(neededUntil('SIGNING_KEYS', keys[1]!)! - clock.now().getTime() - second)
    await ada.at(rotated).me()
    clock.advance(second)
    await ada.at(rotated).me().refused(401, 'invalid_token')
  })
})

describe('the keys of refresh tokens and links', () => {
  it('let refresh tokens from before work until they are retired', async ({ service, ada }) => {
    const { announced, promoted, retired } = await rotateInSteps(service, 'TOKEN_KEYS')
    await ada.at(retired).refresh().refused(401, 'invalid_refresh_token')
    const next = await ada.at(announced).renewed()
    const last = await next.at(promoted).renewed()
    expect([ada, next, last].map(({ refreshToken }) => kidOf(refreshToken))).toEqual([
      'test-token',
      'test-token',
      'new',
    ])
    await next.at(retired).refresh().refused(401, 'invalid_refresh_token')
    await last.at(retired).refresh()
  })

  it('accept new tokens at a location that does not know of the promotion yet', async ({ service, ada }) => {
    const { announced, promoted } = await rotateInSteps(service, 'TOKEN_KEYS')
    const person = await ada.at(promoted).signIn()
    expect(kidOf(person.refreshToken)).toBe('new')
    const next = await person.at(announced).renewed()
    expect(kidOf(next.refreshToken)).toBe('test-token')
    await next.at(promoted).refresh()
  })

  it('let an activation link from before work while they are promoted', async ({ service, people, anonymous }) => {
    const token = await people.register(email)
    const { promoted } = await rotateInSteps(service, 'TOKEN_KEYS')
    await anonymous.at(promoted).activate({ token, password: goodPassword })
  })

  it('refuse an activation link from before once they are retired, and sign the next one', async ({
    service,
    inbox,
    people,
    anonymous,
  }) => {
    const token = await people.register(email)
    const { retired } = await rotateInSteps(service, 'TOKEN_KEYS')
    const caller = anonymous.at(retired)
    await caller.activate({ token, password: goodPassword }).refused(400, 'invalid_link')
    await caller.resendActivation(email)
    await retired.deliver()
    const another = inbox.linkToken(email)
    expect(kidOf(another)).toBe('new')
    await caller.activate({ token: another, password: goodPassword })
  })

  it.for(stageNames)(
    'let a reset link from before work, unless retired: $stage',
    async ({ stage }, { service, people, ada }) => {
      const token = await people.resetToken(ada.email)
      const stages = await rotateInSteps(service, 'TOKEN_KEYS')
      const reset = ada.at(stages[stage]).completePasswordReset({ token, new_password: otherPassword })
      if (stage === 'promoted') await reset
      else await reset.refused(400, 'invalid_link')
      const { status } = await login(stages[stage], otherPassword).answer
      expect(status).toBe(stage === 'promoted' ? 200 : 401)
    },
  )

  it('sign the link of an email that was queued before', async ({ service, inbox, anonymous }) => {
    await anonymous.register({ email, password: goodPassword })
    const { retired } = await rotateInSteps(service, 'TOKEN_KEYS')
    retired.queued.push(...service.queued.splice(0))
    await retired.deliver()
    const token = inbox.linkToken(email)
    expect(kidOf(token)).toBe('new')
    await anonymous.at(retired).activate({ token, password: goodPassword })
  })

  it('make a known device unknown when they are retired, and still let it sign in', async ({ service, ada: _ada }) => {
    const { promoted, retired } = await rotateInSteps(service, 'TOKEN_KEYS')
    const { device_token } = await login(service)
    const { device_token: known } = await login(promoted, goodPassword, { device_token })
    const { device_token: unknown } = await login(retired, goodPassword, { device_token })
    expect(decodeJwt(known).jti).toBe(decodeJwt(device_token).jti)
    expect(decodeJwt(unknown).jti).not.toBe(decodeJwt(device_token).jti)
  })

  it('are needed as long as a session may be idle, not as long as it may live', async ({
    service,
    clock,
    ada: idle,
  }) => {
    const busy = await idle.signIn()
    const keys = rotate(readSet(service.env.TOKEN_KEYS), await newKey('TOKEN_KEYS'), clock.now())
    const rotated = deploy(service, 'TOKEN_KEYS', () => keys)
    const retired = deploy(rotated, 'TOKEN_KEYS', (set) => retire(set, 'test-token'))
    clock.advance(29 * day)
    const renewed = await busy.at(rotated).renewed()
    clock.advance(neededUntil('TOKEN_KEYS', keys[1]!)! - clock.now().getTime())
    await idle.at(rotated).refresh().refused(401, 'invalid_refresh_token')
    await renewed.at(retired).refresh()
  })
})

describe('the peppers of passwords', () => {
  async function counts(pepperId: string): Promise<{ users: number; registrations: number } | null> {
    return env.DB.prepare(countHashesUnder(pepperId)).first()
  }

  async function storedHash(): Promise<string> {
    return String((await rowOf('users', 'email = ?', email))['password_hash'])
  }

  it('change with the next sign-in, once, and are counted to tell when the old one may go', async ({
    service,
    people,
    ada: _ada,
  }) => {
    await people.register('bob@example.com')
    const before = await storedHash()
    expect(await counts('test-pepper')).toEqual({ users: 1, registrations: 1 })
    const { announced, promoted, retired } = await rotateInSteps(service, 'PASSWORD_PEPPER')

    await login(announced)
    expect(await storedHash()).toBe(before)
    await login(promoted)
    const after = await storedHash()
    expect(readHash(after).pepper).toBe('new')
    await login(promoted)
    expect(await storedHash()).toBe(after)
    expect(await counts('test-pepper')).toEqual({ users: 0, registrations: 1 })
    expect(await counts('new')).toEqual({ users: 1, registrations: 0 })
    // An id that looks like a pattern, or is the start of another, counts nothing.
    expect(await counts('te_t-pepper')).toEqual({ users: 0, registrations: 0 })
    expect(await counts('test-peppe')).toEqual({ users: 0, registrations: 0 })
    await login(retired)
  })

  it('refuse none of twenty sign-ins at once, although the first one replaces the hash', async ({
    service,
    people,
  }) => {
    const { promoted } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      const person = (await people.signUp(`racer-${round}@example.com`)).at(promoted)
      await setAttempts(person.email, -1000)
      const body = { email: person.email, password: goodPassword }
      const answers = await Promise.all(Array.from({ length: 20 }, () => person.login(body).answer))
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      expect(await rowsOf('sessions', 'user_id = ?', person.id)).toHaveLength(21)
      const stored = String((await rowOf('users', 'email = ?', person.email))['password_hash'])
      expect(readHash(stored).pepper).toBe('new')
    }
  })

  it.for([
    { act: 'change of the password', run: (person: Person) => person.changePassword(change).answer },
    { act: 'deletion of the account', run: (person: Person) => person.deleteMe(goodPassword).answer },
  ])('do not stop a $act when a sign-in rehashes the password meanwhile', async ({ run }, { service, ada }) => {
    const { promoted } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    const before = await storedHash()
    const rehash = async () => {
      await login(promoted)
      expect(await storedHash()).not.toBe(before)
    }
    const { late, expectInterrupted } = interrupt(service, /^insert into "audit_events"/, rehash, promoted.env)
    expect((await run(ada.at(late))).status).toBe(204)
    expectInterrupted()
    await login(promoted).refused(401, 'invalid_credentials')
  })

  it('can be compared at a location that does not know of the promotion yet', async ({ service, ada: _ada }) => {
    const { announced, promoted } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    await login(promoted)
    await login(announced)
    await login(promoted)
  })

  it('make their passwords wrong when they are retired, at the same cost, until a reset', async ({ service, ada }) => {
    const { promoted, retired } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    const usual = await hashesDuring(async () => {
      expect((await login(promoted, otherPassword).answer).status).toBe(401)
    })
    const hashes = await hashesDuring(() => login(retired).refused(401, 'invalid_credentials'))
    expect(hashes).toBe(usual)
    expect(hashes).toBeGreaterThan(0)
    const person = ada.at(retired)
    await person.changePassword(change).refused(403, 'wrong_password')
    await person.deleteMe(goodPassword).refused(403, 'wrong_password')

    const token = await peopleOf(retired).resetToken(email)
    await person.completePasswordReset({ token, new_password: otherPassword })
    await login(retired, otherPassword)
    expect(readHash(await storedHash()).pepper).toBe('new')
  })

  it('let a registration from before be activated while they are promoted', async ({ service, people, anonymous }) => {
    const token = await people.register(email)
    const { promoted } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    await anonymous.at(promoted).activate({ token, password: goodPassword })
    await login(promoted)
    expect(readHash(await storedHash()).pepper).toBe('new')
  })

  it('refuse a registration from before once they are retired', async ({ service, people, anonymous }) => {
    const token = await people.register(email)
    const { retired } = await rotateInSteps(service, 'PASSWORD_PEPPER')
    await anonymous.at(retired).activate({ token, password: goodPassword }).refused(401, 'invalid_credentials')
  })
})

describe('several rotations', () => {
  it('sign out nobody who comes back between two of them', async ({ service, clock, ada }) => {
    let stage = service
    let person = ada
    for (let round = 0; round < 5; round++) {
      for (const name of setNames) {
        const key = await newKey(name, `${name}-${round}`)
        const now = clock.now()
        stage = deploy(stage, name, (keys) => rotate(keys, key, now))
      }
      person = await person.at(stage).renewed()
      await login(stage)
      for (const name of setNames) stage = deploy(stage, name, (keys) => retire(keys, keys[1]!.kid))
      person = await person.at(stage).renewed()
      await login(stage)
      clock.advance(hour + minute)
    }
  })
})

describe('a bad set of keys', () => {
  const key = (bytes: number, kid = 'a') => ({
    kty: 'oct',
    kid,
    k: btoa('k'.repeat(bytes)).replaceAll('=', ''),
  })
  const set = (...keys: object[]) => JSON.stringify({ keys })
  interface Bad {
    name: SetName
    text: string
    problem: RegExp
  }
  const bad: Bad[] = [
    ...(['TOKEN_KEYS', 'PASSWORD_PEPPER', 'DATA_KEYS'] as const).flatMap((name): Bad[] => [
      { name, text: set(key(31)), problem: /key "a" is shorter than 32 bytes/ },
      { name, text: set(key(32), key(16, 'b')), problem: /key "b" is shorter than 32 bytes/ },
      { name, text: set(key(32), key(32)), problem: /holds the "kid" "a" twice/ },
      { name, text: set(key(32, 'has space')), problem: /holds a "kid" that is not/ },
      { name, text: set(), problem: /holds no key/ },
      { name, text: '', problem: /is not set/ },
      { name, text: 'hunter2-hunter2-hunter2-hunter2-hunter2', problem: /is not JSON/ },
      { name, text: set({ kty: 'RSA', kid: 'a', n: 'x' }), problem: /not of type "oct"/ },
    ]),
    { name: 'SIGNING_KEYS', text: set(key(32)), problem: /key "a" is neither/ },
    {
      name: 'SIGNING_KEYS',
      text: set({ kty: 'OKP', crv: 'Ed25519', kid: 'a', x: 'AAAA', d: 'AAAA' }),
      problem: /key "a" does not import/,
    },
    { name: 'SIGNING_KEYS', text: set({ kty: 'RSA', kid: 'a', n: 'AAAA', d: 'AAAA' }), problem: /key "a" is neither/ },
    { name: 'SIGNING_KEYS', text: set(), problem: /holds no key/ },
  ]

  it.for(bad)(
    'stops the service, and the log says why without key material: $name $problem',
    async ({ name, text, problem }) => {
      const service = startService({ env: { [name]: text } })
      const log = captureLog()
      await login(service).refused(503, 'service_unavailable')
      expectProblem(await new Caller(service).getKeys().answer, 503, 'service_unavailable')
      const [entry] = log.entries('config.invalid')
      expect(entry?.['problems']).toEqual([expect.stringMatching(problem)])
      expect(entry?.['problems']).toEqual([expect.stringMatching(new RegExp(`^${name} `))])
      for (const material of text.match(/[\w-]{20,}/g) ?? []) expect(log.lines.join('\n')).not.toContain(material)
    },
  )
})
