/** Reads from a replica that has nothing of what was written since a token was issued, or since the test began. */
import { env } from 'cloudflare:workers'
import { SignJWT, decodeJwt, decodeProtectedHeader, importJWK } from 'jose'
import { beforeEach, describe, expect, vi } from 'vitest'
import { batch } from '../../src/store/batch.ts'
import type { Db } from '../../src/store/db.ts'
import { connectReplicas } from '../../src/store/replicas.ts'
import { selectUser } from '../../src/store/users.ts'
import { expectNoContent, expectOk, expectProblem } from '../support/answers.ts'
import type { OperationId } from '../support/api.ts'
import type { Caller } from '../support/caller.ts'
import { minute } from '../support/clock.ts'
import { type ContractCall, calls } from '../support/calls.ts'
import { it as base } from '../support/fixtures.ts'
import { type LaggingD1, laggingD1 } from '../support/lagging-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { type Service, startService } from '../support/service.ts'
import { rowOf, rowsOf } from '../support/state.ts'

const it = base
  .extend('database', async () => laggingD1())
  .extend('options', async ({ database }: { database: LaggingD1 }) => ({
    env: { DB: database.binding, READ_REPLICAS: 'true' },
  }))

const newest = { headers: { 'Cache-Control': 'no-cache' } }
const callers = 20
/** Each keeps the state after every write. `npm run check:replicas` has all the races. */
const rounds = env.RACE_ROUNDS

beforeEach(() => void captureLog())

/** A call of an operation with whatever it needs, all of which is about nobody. */
function send(caller: Caller, { operationId, body }: ContractCall) {
  const id = '01936f6e-0000-7000-8000-000000000000'
  return caller.call(operationId as OperationId, { id, ...(body && { body }) }).answer
}

const withToken = calls.filter(({ protection }) => protection === 'bearer')
/** The export is recorded and mailed. */
const isReading = ({ method, operationId }: ContractCall) => method === 'GET' && operationId !== 'exportMe'
const readings = withToken.filter(isReading)
const decisions = withToken.filter((call) => !isReading(call))

const kv = (calls: object) => ({ put: async () => undefined, ...calls }) as unknown as KVNamespace

/** A list that has not heard of anything yet, as KV in another place for up to a minute. */
const deaf = kv({ get: async () => null })

function without(service: Service, REVOCATIONS: KVNamespace): Service {
  return startService({ env: { ...service.env, REVOCATIONS }, beside: service })
}

/** The same database with other sessions. */
function withSessions({ binding }: LaggingD1, withSession: (start: string) => object): D1Database {
  return Object.assign(Object.create(binding), { withSession }) as D1Database
}

/** The token of a person with another bookmark, signed as the service signs. */
async function withBookmark({ service, accessToken }: Person, bookmark: unknown): Promise<string> {
  const [jwk] = JSON.parse(service.env.SIGNING_KEYS).keys
  const header = decodeProtectedHeader(accessToken) as { alg: string }
  return new SignJWT({ ...decodeJwt(accessToken), bookmark })
    .setProtectedHeader(header)
    .sign(await importJWK(jwk, header.alg))
}

/** Whether the replica answered, of which nothing may be concluded from the answer. */
async function answersNearby(database: LaggingD1, act: () => Promise<unknown>): Promise<boolean> {
  const before = database.answered.length
  await act()
  return database.answered.length > before
}

describe('a read', () => {
  it('of any kind is answered by the replica, from the session to the last row', async ({ database, admin }) => {
    for (const call of readings) {
      database.starts.length = 0
      expect(await answersNearby(database, () => send(admin, call)), call.operationId).toBe(true)
      expect(database.starts, call.operationId).toEqual([decodeJwt(admin.accessToken)['bookmark']])
    }
  })

  it('is answered by the primary when the client asks for the newest state', async ({ database, admin }) => {
    for (const call of readings) {
      expect(await answersNearby(database, () => send(admin.from(newest), call)), call.operationId).toBe(false)
    }
  })

  it('is answered by the primary when the token has no bookmark', async ({ database, ada }) => {
    const token = await withBookmark(ada, undefined)
    expect(await answersNearby(database, () => ada.from({ token }).me())).toBe(false)
  })

  it('sees whatever was written before its token was issued', async ({ ada }) => {
    await ada.updateMe({ bio: 'before' })
    const renewed = await ada.renewed()
    expect(await renewed.me()).toMatchObject({ bio: 'before' })
    await renewed.updateMe({ bio: 'after' })
    // Why a client that has written asks for the newest state until its next refresh.
    expect(await renewed.me()).toMatchObject({ bio: 'before' })
    expect(await renewed.from(newest).me()).toMatchObject({ bio: 'after' })
    expect(await (await renewed.renewed()).me()).toMatchObject({ bio: 'after' })
  })
})

describe('a session that has just begun', () => {
  it('is found after activation, sign-in, refresh and a change of the password', async ({ database, people }) => {
    const activated = await people.signUp('new@example.com')
    const signedIn = await people.signIn('new@example.com')
    const renewed = await signedIn.renewed()
    const change = { old_password: goodPassword, new_password: otherPassword, refresh_token: renewed.refreshToken }
    const changed = renewed.holding(expectOk(await renewed.changePassword(change).answer), otherPassword)
    for (const person of [signedIn, renewed, changed]) {
      expect(await answersNearby(database, () => person.me())).toBe(true)
      await person.sessions()
      await person.activity()
    }
    await activated.me().refused(401, 'invalid_token')
  })

  it('is found by the primary while the replica does not know it', async ({ people, ada }) => {
    const { bookmark } = decodeJwt(ada.accessToken)
    const later = await people.signIn(ada.email)
    const token = await withBookmark(later, bookmark)
    expect(await later.from({ token }).me()).toMatchObject({ id: ada.id })
  })

  it('is found by twenty at once, each after its own sign-in', async ({ people }) => {
    for (let round = 0; round < rounds; round++) {
      const racer = await people.signUp(`racer-${round}@example.com`)
      const answers = await Promise.all(
        Array.from({ length: callers }, async () => {
          const person = await people.signIn(racer.email)
          return [await person.me().answer, await person.sessions().answer]
        }),
      )
      expect(answers.flat().map(({ status }) => status)).toEqual(Array(2 * callers).fill(200))
      expect(await rowsOf('sessions', 'user_id = ?', racer.id)).toHaveLength(1 + callers)
    }
  })
})

describe('a session that has ended', () => {
  const ends: [string, (ada: Person, admin: Person) => Promise<unknown>][] = [
    ['log-out', (ada) => ada.logout()],
    ['log-out everywhere', (ada) => ada.logoutAll()],
    ['a suspension', (ada, admin) => admin.suspend(ada)],
    ['a new role', (ada, admin) => admin.assignRole(ada, 'MODERATOR')],
    ['a deletion', (ada, admin) => admin.deleteUser(ada)],
    ['an administrator', (ada, admin) => admin.endSessionsOf(ada)],
  ]

  it.for(ends)('by %s is refused by every read where the list knows of it', async ([, end], { ada, admin }) => {
    await ada.me()
    await end(ada, admin)
    for (const call of readings) expectProblem(await send(ada, call), 401, 'invalid_token')
  })

  it.for(ends)(
    'by %s is refused at once by whatever decides, even where the list does not know of it yet',
    async ([, end], { service, ada, admin }) => {
      await end(ada, admin)
      const lagging = ada.at(without(service, deaf))
      // Only this much is left to it, until the list has reached the place.
      expect(await lagging.me()).toMatchObject({ id: ada.id })
      for (const call of decisions) expectProblem(await send(lagging, call), 401, 'invalid_token')
      await lagging.refresh().refused(401, 'invalid_refresh_token')
      await lagging.from(newest).me().refused(401, 'invalid_token')
    },
  )

  it('is refused without a list once the replica has heard of it', async ({ database, service, ada }) => {
    await ada.logout()
    await database.catchUp()
    await ada.at(without(service, deaf)).me().refused(401, 'invalid_token')
  })

  it('is refused when the list cannot be read, and a live one is not', async ({ service, ada, eve }) => {
    const get = () => Promise.reject(new Error('KV GET failed: 500 Internal Server Error'))
    const broken = without(service, kv({ get }))
    await ada.logout()
    await ada.at(broken).me().refused(401, 'invalid_token')
    expect(await eve.at(broken).me()).toMatchObject({ id: eve.id })
  })

  it('keeps its role out of reach when twenty read while it ends', async ({ people, admin }) => {
    for (let round = 0; round < rounds; round++) {
      const moderator = await people.signUpAs('MODERATOR', `mod-${round}@example.com`)
      const answers = await Promise.all(
        Array.from({ length: callers }, (_, index) =>
          index === 7 ? admin.assignRole(moderator, 'USER').answer : moderator.users().answer,
        ),
      )
      expect(answers.filter(({ status }) => ![200, 401].includes(status))).toEqual([])
      await moderator.users().refused(401, 'invalid_token')
      await moderator.moderateProfile(admin, { bio: 'mine' }).refused(401, 'invalid_token')
      expect(await rowOf('users', 'id = ?', moderator.id)).toMatchObject({ role: 'USER' })
    }
  })
})

describe('whatever decides', () => {
  it('asks the primary and nobody else', async ({ database, service, people, anonymous, admin, ada }) => {
    const other = await people.signUpAs('ADMIN', 'other@example.com')
    database.starts.length = 0
    database.answered.length = 0
    const acts = calls.filter(({ method, operationId }) => method !== 'GET' && operationId !== 'deleteMe')
    for (const call of acts) {
      // Some of them end the session.
      await send(await other.signIn(), call)
      await send(anonymous, call)
    }
    await admin.suspend(ada)
    await admin.reinstate(ada)
    const again = await ada.signIn()
    await again.refresh()
    await again.updateMe({ bio: 'new' })
    await again.endOtherSessions()
    await again.deleteMe()
    for (const cron of ['*/5 * * * *', '*/10 * * * *', '30 * * * *', '0 * * * *']) await service.runCron(cron)
    await service.deliver()
    expect(new Set(database.starts)).toEqual(new Set(['first-primary']))
    expect(database.answered).toEqual([])
  })

  it('asks it for every batch of a request, and not only for the first', async ({ database }) => {
    const { primary, nearby, newestBookmark } = connectReplicas(database.binding)
    const look = async (db: Db) => batch(db, { user: selectUser(db, '01936f6e-0000-7000-8000-000000000000') })
    for (let times = 0; times < 3; times++) await look(primary)
    expect(database.answered).toEqual([])
    await look(nearby(newestBookmark()!))
    expect(database.answered).toHaveLength(1)
  })
})

describe('a bookmark', () => {
  const ahead = `ffffffff-0000019f-00004f2a-${'4d'.repeat(16)}`
  const bookmarks: [string, unknown][] = [
    ['of nothing', 'x'],
    ['of another database that is ahead', ahead],
    ['of another database', `00000001-00000000-00000000-${'00'.repeat(16)}`],
    ['that is a constraint', 'first-unconstrained'],
    ['that is another constraint', 'first-primary'],
    ['with quotes and a new line', `'";\n`],
    ['of a thousand characters', 'f'.repeat(1000)],
    ['that is empty', ''],
    ['that is a number', 7],
    ['that is null', null],
    ['that is an object', { first: 'unconstrained' }],
  ]

  it.for(bookmarks)('%s causes no failure', async ([, bookmark], { service, ada }) => {
    const impatient = startService({ env: service.env, platform: { sleep: async () => undefined }, beside: service })
    const token = await withBookmark(ada, bookmark)
    for (const where of [impatient, ...(bookmark === ahead ? [] : [service])]) {
      const caller = ada.at(where).from({ token })
      const answers = [await caller.me().answer, await caller.sessions().answer, await caller.activity().answer]
      // What the service never signs, it does not take.
      const expected = typeof bookmark === 'string' && bookmark !== '' ? 200 : 401
      expect(answers.map(({ status }) => status)).toEqual([expected, expected, expected])
    }
  })

  it('is in no token when D1 makes it longer than a token should carry', async ({ database, service, ada }) => {
    const DB = withSessions(database, (start) => {
      const session = database.binding.withSession(start)
      return Object.assign(session, { getBookmark: () => 'f'.repeat(121) })
    })
    const person = await ada.at(startService({ env: { ...service.env, DB }, beside: service })).signIn()
    expect(decodeJwt(person.accessToken)).not.toHaveProperty('bookmark')
    expectOk(await person.me().answer)
  })
})

describe('a replica that fails', () => {
  it('is replaced by the primary, and the log says so', async ({ database, service, ada }) => {
    const broken = () => Promise.reject(new Error('D1_ERROR: Network connection lost.'))
    const statement = { bind: () => statement, raw: broken, all: broken, run: broken }
    const DB = withSessions(database, (start) =>
      start === 'first-primary' ? database.binding.withSession(start) : { prepare: () => statement, batch: broken },
    )
    const person = ada.at(startService({ env: { ...service.env, DB }, beside: service }))
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    expect(await person.me()).toMatchObject({ id: ada.id })
    expect(warn.mock.calls.map(([line]) => JSON.parse(String(line)))).toMatchObject([{ event: 'replica.failed' }])
  })
})

describe('without the variable', () => {
  const off = base
    .extend('database', async () => laggingD1())
    .extend('options', async ({ database }: { database: LaggingD1 }) => ({
      env: { DB: database.binding, READ_REPLICAS: 'false' },
    }))

  off('no session of the database is started, and no token has a bookmark', async ({ database, clock, admin }) => {
    for (const call of readings) await send(admin, call)
    clock.advance(minute)
    const renewed = await admin.renewed()
    expectNoContent(await renewed.logout().answer)
    expect(database.starts).toEqual([])
    expect(decodeJwt(renewed.accessToken)).not.toHaveProperty('bookmark')
  })
})
