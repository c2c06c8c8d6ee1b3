/** GET /users, GET /audit-events and GET /roles: filters, orders and pages. */
import { describe, expect } from 'vitest'
import type { User } from '../../client/src/types.ts'
import { uuidv7 as newId } from '../../src/crypto/random.ts'
import { expectInvalid, expectOk, instant, administeredUser, uuidv7 } from '../support/answers.ts'
import type { QueryOf } from '../support/api.ts'
import type { Caller } from '../support/caller.ts'
import { hour, minute } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { insertUserAgents, insertUsers } from '../support/rows.ts'
import { nothing, observe, rowsOf, write } from '../support/state.ts'

type Listed = Pick<User, 'id' | 'email' | 'role' | 'status'>

/** Every page of a list, put together. */
async function walk<Item>(limit: number, read: (page: Page) => Promise<{ items: Item[]; next_cursor: string | null }>) {
  const items: Item[] = []
  const sizes: number[] = []
  let cursor: string | undefined
  do {
    const page = await read({ limit, ...(cursor !== undefined && { cursor }) })
    items.push(...page.items)
    sizes.push(page.items.length)
    expect(sizes.length, 'the pages come to an end').toBeLessThan(200)
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  return { items, sizes }
}

interface Page {
  limit: number
  cursor?: string
}

const walkUsers = (actor: Caller, filter: QueryOf<'listUsers'>, limit: number) =>
  walk(limit, async (page) => {
    const { users, ...rest } = await actor.users({ ...filter, ...page })
    expect(Object.keys(rest)).toEqual(['next_cursor'])
    return { items: users, ...rest }
  })

const walkEvents = (actor: Caller, filter: QueryOf<'listAuditEvents'>, limit: number) =>
  walk(limit, async (page) => {
    const { events, archived_before: archived, ...rest } = await actor.auditEvents({ ...filter, ...page })
    expect(archived).toBeNull()
    expect(Object.keys(rest)).toEqual(['next_cursor'])
    return { items: events, ...rest }
  })

/** 45 users besides the ADMIN: of every role and status, with addresses in another order than their ages. */
const withCrowd = it.extend('all', async ({ clock, admin }) => {
  const users = Array.from({ length: 45 }, (_, number): Listed => {
    clock.advance(1)
    const place = (number * 17) % 45
    return {
      id: newId(clock.now()),
      email: `${['ann', 'anna', 'bob'][place % 3]}${place}@${place % 2 ? 'example.com' : 'example.org'}`,
      role: (['USER', 'USER', 'MODERATOR', 'ADMIN'] as const)[number % 4]!,
      status: (['pending', 'active', 'suspended'] as const)[number % 3]!,
    }
  })
  await insertUsers(users)
  return [...users, await admin.me()]
})

const newestFirst = (users: Listed[]) => users.toSorted((a, b) => (a.id > b.id ? -1 : 1))
const byAddress = (users: Listed[]) => users.toSorted((a, b) => (a.email < b.email ? -1 : 1))
const ids = (users: { id: string }[]) => users.map(({ id }) => id)

describe('GET /users', () => {
  it('gives users with every field of the contract and no other, and does nothing', async ({ service, admin }) => {
    const { answer, effects } = await observe(service, () => admin.users())
    expect(expectOk(answer)).toEqual({
      users: [administeredUser({ email: admin.email, id: admin.id, role: 'ADMIN' })],
      next_cursor: null,
    })
    expect(effects).toEqual(nothing)
  })

  withCrowd('gives every user once, newest first, however long the pages are', async ({ admin, all }) => {
    for (const limit of [1, 7, 23, 45, 46, 100]) {
      const { items, sizes } = await walkUsers(admin, {}, limit)
      expect(ids(items), `pages of ${limit}`).toEqual(ids(newestFirst(all)))
      expect(sizes.slice(0, -1).every((size) => size === limit)).toBe(true)
      expect(sizes.at(-1), 'no empty page at the end').toBeGreaterThan(0)
    }
  })

  withCrowd('gives 20 where no limit is said', async ({ admin, all }) => {
    expect(all).toHaveLength(46)
    expect((await admin.users()).users).toHaveLength(20)
  })

  withCrowd(
    'filters by role, status and prefix of the address, alone and together, page by page',
    async ({ admin, all }) => {
      for (const role of [undefined, 'USER', 'MODERATOR', 'ADMIN'] as const) {
        for (const status of [undefined, 'pending', 'active', 'suspended'] as const) {
          for (const email of [undefined, 'an', 'anna1', ' BOB ', 'zoe']) {
            const filter = { ...(role && { role }), ...(status && { status }), ...(email && { email }) }
            const matching = all.filter(
              (user) =>
                (!role || user.role === role) &&
                (!status || user.status === status) &&
                (!email || user.email.startsWith(email.trim().toLowerCase())),
            )
            const expected = email ? byAddress(matching) : newestFirst(matching)
            const { items } = await walkUsers(admin, filter, 6)
            expect(ids(items), JSON.stringify(filter)).toEqual(ids(expected))
          }
        }
      }
    },
  )

  withCrowd('takes the characters of an address for themselves: no pattern reaches the database', async ({ admin }) => {
    for (const email of ['%', '_nn', 'a*', "' or 1=1 --", 'ann\\', '🦊', 'a'.repeat(254)]) {
      const page = await admin.users({ email })
      expect(page, email).toEqual({ users: [], next_cursor: null })
    }
    const whole = await admin.users({ email: admin.email })
    expect(ids(whole.users)).toEqual([admin.id])
  })

  it('finds a whole address in every spelling of its domain', async ({ people, admin }) => {
    const { id } = await people.signUp('ada@xn--bcher-kva.example')
    for (const email of ['ada@BÜCHER.example', ' ADA@bücher.Example ', 'ada@xn--bcher-kva.example', 'ada@xn--bch']) {
      const page = await admin.users({ email })
      expect(ids(page.users), email).toEqual([id])
    }
  })

  withCrowd(
    'goes on where the page before ended, also when users came or went meanwhile',
    async ({ clock, people, admin, all }) => {
      const first = await admin.users({ limit: 10 })
      clock.advance(hour / 12)
      await people.signUp('late@example.com')
      await write('delete from users where id = ?', first.users.at(-1)!.id)
      const second = await admin.users({ limit: 10, cursor: first.next_cursor! })
      expect(ids(second.users)).toEqual(ids(newestFirst(all)).slice(10, 20))
    },
  )

  it.for([
    { query: 'limit=0', pointer: '/limit' },
    { query: 'limit=101', pointer: '/limit' },
    { query: 'limit=-1', pointer: '/limit' },
    { query: 'limit=1.5', pointer: '/limit' },
    { query: 'limit=1e1', pointer: '/limit' },
    { query: 'limit=', pointer: '/limit' },
    { query: 'limit=%2010', pointer: '/limit' },
    { query: 'limit=9999999999999999999999', pointer: '/limit' },
    { query: 'limit=5&limit=6', pointer: '/limit' },
    { query: 'role=user', pointer: '/role' },
    { query: 'role=ROOT', pointer: '/role' },
    { query: 'role=', pointer: '/role' },
    { query: 'role=USER&role=ADMIN', pointer: '/role' },
    { query: 'status=deleted', pointer: '/status' },
    { query: 'email=', pointer: '/email' },
    { query: 'email=%00', pointer: '/email' },
    { query: 'email=a&email=b', pointer: '/email' },
    { query: `email=${'a'.repeat(255)}`, pointer: '/email' },
    { query: 'cursor=', pointer: '/cursor' },
    { query: 'cursor=x', pointer: '/cursor' },
    { query: 'cursor=%00', pointer: '/cursor' },
    { query: `cursor=${'a'.repeat(401)}`, pointer: '/cursor' },
    { query: `cursor=${btoa('01936f6e-0000-4000-8000-000000000000')}`, pointer: '/cursor' },
    { query: 'email=a&cursor=MDE5MzZmNmUtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw', pointer: '/cursor' },
    { query: 'cursor=YWRhQGV4YW1wbGUuY29t', pointer: '/cursor' },
  ])('refuses ?$query with 422', async ({ query, pointer }, { admin }) => {
    const answer = await admin.call('listUsers', { query }).answer
    expectInvalid(answer, pointer)
    expect(answer.json).toMatchObject({ errors: [{ pointer }] })
  })

  it('is for roles that may read users: MODERATOR and ADMIN', async ({ anonymous, ada, moderator }) => {
    await moderator.users()
    await ada.users().refused(403, 'insufficient_permission')
    await anonymous.users().refused(401, 'invalid_token')
  })
})

describe('GET /audit-events', () => {
  /** A few people, and what they did, minute by minute. */
  const withHistory = it.extend('ada', async ({ clock, people, admin }) => {
    const ada = await people.signUp('ada@example.com')
    for (let failure = 0; failure < 9; failure++) {
      clock.advance(minute / 20)
      await ada.login({ email: ada.email, password: 'wrong' }).answer
    }
    clock.advance(minute / 20)
    const headers = { 'User-Agent': 'Netscape/4', 'CF-Connecting-IP': '198.51.100.9', 'X-Request-Id': 'suspend-1' }
    await insertUserAgents(['Netscape/4'])
    await admin.from({ headers }).suspend(ada)
    return ada
  })

  withHistory(
    'gives what happened, newest first, with every field of the contract and no address',
    async ({ clock, ada, admin }) => {
      const { events, next_cursor } = await admin.auditEvents({ limit: 100 })
      expect(next_cursor).toBeNull()
      expect(events[0]).toEqual({
        id: uuidv7,
        at: clock.now().toISOString(),
        type: 'user.suspended',
        actor_id: admin.id,
        user_id: ada.id,
        ip: '198.51.100.9',
        country: null,
        user_agent: 'Netscape/4',
        request_id: 'suspend-1',
        detail: { reason: 'spam' },
      })
      expect(events).toHaveLength((await rowsOf('audit_events')).length)
      for (const event of events) expect(event).toMatchObject({ id: uuidv7, at: instant })
      const times = events.map(({ at }) => at)
      expect(times).toEqual(times.toSorted().toReversed())
      expect(JSON.stringify(events)).not.toContain('@example.com')
    },
  )

  withHistory(
    'gives every event once, however long the pages are, with each filter and both',
    async ({ ada, admin }) => {
      const all = (await rowsOf('audit_events')).toReversed()
      const filters: QueryOf<'listAuditEvents'>[] = [
        {},
        { user_id: ada.id },
        { user_id: admin.id },
        { type: 'user.sign_in_refused' },
        { type: 'user.registered' },
        { type: 'user.sign_in_refused', user_id: ada.id },
        { type: 'user.sign_in_refused', user_id: admin.id },
        { type: 'user.expired' },
      ]
      for (const filter of filters) {
        const expected = all.filter((row) => Object.entries(filter).every(([column, value]) => row[column] === value))
        for (const limit of [1, 4, 100]) {
          const { items, sizes } = await walkEvents(admin, filter, limit)
          expect(ids(items), `${JSON.stringify(filter)} ${limit}`).toEqual(expected.map(({ id }) => id))
          if (expected.length > 0) expect(sizes.at(-1)).toBeGreaterThan(0)
        }
      }
    },
  )

  it('still tells what was done to an account that is gone', async ({ ada, admin }) => {
    await ada.deleteMe()
    const { events } = await admin.auditEvents({ user_id: ada.id, type: 'user.deleted' })
    expect(events).toMatchObject([{ type: 'user.deleted', actor_id: ada.id, user_id: ada.id }])
  })

  it.for([
    { query: 'user_id=x', pointer: '/user_id' },
    { query: 'user_id=', pointer: '/user_id' },
    { query: 'type=user.flew', pointer: '/type' },
    { query: 'type=', pointer: '/type' },
    { query: 'limit=0', pointer: '/limit' },
    { query: 'limit=101', pointer: '/limit' },
    { query: 'cursor=x', pointer: '/cursor' },
    { query: 'cursor=YWRhQGV4YW1wbGUuY29t', pointer: '/cursor' },
  ])('refuses ?$query with 422', async ({ query, pointer }, { admin }) => {
    expectInvalid(await admin.call('listAuditEvents', { query }).answer, pointer)
  })

  it('is for ADMIN alone', async ({ anonymous, ada, moderator }) => {
    for (const other of [moderator, ada]) await other.auditEvents().refused(403, 'insufficient_permission')
    await anonymous.auditEvents().refused(401, 'invalid_token')
  })
})

describe('GET /roles', () => {
  it('tells any signed-in user what each role may do', async ({ anonymous, ada }) => {
    const { roles } = await ada.roles()
    const moderator = ['content:manage', 'users:read', 'profiles:moderate', 'users:suspend']
    const admin = [
      'users:activate',
      'users:assign-role',
      'users:revoke-sessions',
      'users:reset-password',
      'users:reset-factors',
      'users:delete',
      'audit:read',
      'emails:read',
      'emails:manage',
    ]
    expect(roles).toEqual([
      { role: 'USER', permissions: [] },
      { role: 'MODERATOR', permissions: moderator },
      { role: 'ADMIN', permissions: [...moderator, ...admin] },
    ])
    await anonymous.roles().refused(401, 'invalid_token')
  })
})
