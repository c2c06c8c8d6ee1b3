/** GET /users, GET /audit-events and GET /roles: filters, orders and pages. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { uuidv7 as newId } from '../../src/crypto/random.ts'
import { expectInvalid, expectOk, expectProblem, instant, administeredUser, uuidv7 } from '../support/answers.ts'
import { hour, minute } from '../support/clock.ts'
import { type SignedIn, goodPassword, signUp, signUpAdmin, signUpAs } from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { nothing, observe, rowsOf, write } from '../support/state.ts'

interface Listed {
  id: string
  email: string
  role: string
  status: string
}

const list = (service: Service, { accessToken: token }: SignedIn, path: string) => service.call('GET', path, { token })

/** Every page of a list, put together. */
async function walk(service: Service, actor: SignedIn, path: string, member: 'users' | 'events', limit: number) {
  const items: Listed[] = []
  const sizes: number[] = []
  const base = `${path}${path.includes('?') ? '&' : '?'}limit=${limit}`
  for (let cursor: string | null = ''; cursor !== null;) {
    const answer: Answer = await list(
      service,
      actor,
      cursor === '' ? base : `${base}&cursor=${encodeURIComponent(cursor)}`,
    )
    const page = expectOk(answer)
    expect(Object.keys(page).toSorted()).toEqual([member, 'next_cursor'].toSorted())
    items.push(...page[member])
    sizes.push(page[member].length)
    expect(sizes.length, 'the pages come to an end').toBeLessThan(200)
    cursor = page.next_cursor
  }
  return { items, sizes }
}

/** 45 users besides the ADMIN who asks: of every role and status, with addresses in another order than their ages. */
async function crowd(service: Service) {
  const admin = await signUpAdmin(service)
  const users = Array.from({ length: 45 }, (_, number): Listed => {
    service.clock.advance(1)
    const place = (number * 17) % 45
    return {
      id: newId(service.clock.now()),
      email: `${['ann', 'anna', 'bob'][place % 3]}${place}@${place % 2 ? 'example.com' : 'example.org'}`,
      role: ['USER', 'USER', 'MODERATOR', 'ADMIN'][number % 4]!,
      status: ['pending', 'active', 'suspended'][number % 3]!,
    }
  })
  const now = service.clock.now().getTime()
  await env.DB.batch(
    users.map(({ id, email, role, status }) =>
      env.DB.prepare(
        'insert into users (id, email, role, status, created_at, updated_at) values (?, ?, ?, ?, ?, ?)',
      ).bind(id, email, role, status, now, now),
    ),
  )
  const all = [...users, { id: admin.id, email: admin.email, role: 'ADMIN', status: 'active' }]
  return { admin, all }
}

const newestFirst = (users: Listed[]) => users.toSorted((a, b) => (a.id > b.id ? -1 : 1))
const byAddress = (users: Listed[]) => users.toSorted((a, b) => (a.email < b.email ? -1 : 1))
const ids = (users: { id: string }[]) => users.map(({ id }) => id)

describe('GET /users', () => {
  it('gives users with every field of the contract and no other, and does nothing', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { answer, effects } = await observe(service, () => list(service, admin, '/users'))
    expect(expectOk(answer)).toEqual({
      users: [administeredUser({ email: admin.email, id: admin.id, role: 'ADMIN' })],
      next_cursor: null,
    })
    expect(effects).toEqual(nothing)
  })

  it('gives every user once, newest first, however long the pages are', async () => {
    const service = startService()
    const { admin, all } = await crowd(service)
    for (const limit of [1, 7, 23, 45, 46, 100]) {
      const { items, sizes } = await walk(service, admin, '/users', 'users', limit)
      expect(ids(items), `pages of ${limit}`).toEqual(ids(newestFirst(all)))
      expect(sizes.slice(0, -1).every((size) => size === limit)).toBe(true)
      expect(sizes.at(-1), 'no empty page at the end').toBeGreaterThan(0)
    }
  })

  it('gives 20 where no limit is said', async () => {
    const service = startService()
    const { admin } = await crowd(service)
    expect(expectOk(await list(service, admin, '/users')).users).toHaveLength(20)
  })

  it('filters by role, status and prefix of the address, alone and together, page by page', async () => {
    const service = startService()
    const { admin, all } = await crowd(service)
    for (const role of [undefined, 'USER', 'MODERATOR', 'ADMIN']) {
      for (const status of [undefined, 'pending', 'active', 'suspended']) {
        for (const email of [undefined, 'an', 'anna1', ' BOB ', 'zoe']) {
          const query = new URLSearchParams({
            ...(role && { role }),
            ...(status && { status }),
            ...(email && { email }),
          })
          const matching = all.filter(
            (user) =>
              (!role || user.role === role) &&
              (!status || user.status === status) &&
              (!email || user.email.startsWith(email.trim().toLowerCase())),
          )
          const expected = email ? byAddress(matching) : newestFirst(matching)
          const { items } = await walk(service, admin, `/users?${query.toString()}`, 'users', 6)
          expect(ids(items), query.toString()).toEqual(ids(expected))
        }
      }
    }
  })

  it('takes the characters of an address for themselves: no pattern reaches the database', async () => {
    const service = startService()
    const { admin } = await crowd(service)
    for (const email of ['%', '_nn', 'a*', "' or 1=1 --", 'ann\\', '🦊', 'a'.repeat(254)]) {
      const page = expectOk(await list(service, admin, `/users?${new URLSearchParams({ email }).toString()}`))
      expect(page, email).toEqual({ users: [], next_cursor: null })
    }
    const whole = expectOk(await list(service, admin, '/users?email=admin@example.com'))
    expect(ids(whole.users)).toEqual([admin.id])
  })

  it('finds a whole address in every spelling of its domain', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id } = await signUp(service, 'ada@xn--bcher-kva.example')
    for (const email of ['ada@BÜCHER.example', ' ADA@bücher.Example ', 'ada@xn--bcher-kva.example', 'ada@xn--bch']) {
      const page = expectOk(await list(service, admin, `/users?${new URLSearchParams({ email }).toString()}`))
      expect(ids(page.users), email).toEqual([id])
    }
  })

  it('goes on where the page before ended, whoever came or went meanwhile', async () => {
    const service = startService()
    const { admin, all } = await crowd(service)
    const first = expectOk(await list(service, admin, '/users?limit=10'))
    service.clock.advance(hour / 12)
    await signUp(service, 'late@example.com')
    await write('delete from users where id = ?', first.users.at(-1).id)
    const second = expectOk(await list(service, admin, `/users?limit=10&cursor=${first.next_cursor}`))
    expect(ids(second.users)).toEqual(ids(newestFirst(all)).slice(10, 20))
  })

  it.each([
    ['limit=0', '/limit'],
    ['limit=101', '/limit'],
    ['limit=-1', '/limit'],
    ['limit=1.5', '/limit'],
    ['limit=1e1', '/limit'],
    ['limit=', '/limit'],
    ['limit=%2010', '/limit'],
    ['limit=9999999999999999999999', '/limit'],
    ['limit=5&limit=6', '/limit'],
    ['role=user', '/role'],
    ['role=ROOT', '/role'],
    ['role=', '/role'],
    ['role=USER&role=ADMIN', '/role'],
    ['status=deleted', '/status'],
    ['email=', '/email'],
    ['email=%00', '/email'],
    ['email=a&email=b', '/email'],
    [`email=${'a'.repeat(255)}`, '/email'],
    ['cursor=', '/cursor'],
    ['cursor=x', '/cursor'],
    ['cursor=%00', '/cursor'],
    [`cursor=${'a'.repeat(401)}`, '/cursor'],
    [`cursor=${btoa('01936f6e-0000-4000-8000-000000000000')}`, '/cursor'],
    ['email=a&cursor=MDE5MzZmNmUtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw', '/cursor'],
    ['cursor=YWRhQGV4YW1wbGUuY29t', '/cursor'],
  ])('refuses ?%s with 422', async (query, pointer) => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const answer = await list(service, admin, `/users?${query}`)
    expectInvalid(answer, pointer)
    expect(answer.json.errors).toHaveLength(1)
  })

  it('ignores what it does not know', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    expectOk(await list(service, admin, '/users?sort=password_hash&offset=7&__proto__=x'))
  })

  it('is for who may read users: MODERATOR and ADMIN', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    expectOk(await list(service, await signUpAs(service, 'MODERATOR', 'mod@example.com', admin), '/users'))
    const user = await signUp(service, 'user@example.com')
    expectProblem(await list(service, user, '/users'), 403, 'insufficient_permission')
    expectProblem(await service.call('GET', '/users'), 401, 'invalid_token')
  })
})

describe('GET /audit-events', () => {
  /** A few people, and what they did, minute by minute. */
  async function history(service: Service) {
    const admin = await signUpAdmin(service)
    const ada = await signUp(service, 'ada@example.com')
    for (let failure = 0; failure < 9; failure++) {
      service.clock.advance(minute / 20)
      await service.call('POST', '/auth/login', { body: { email: 'ada@example.com', password: 'wrong' } })
    }
    service.clock.advance(minute / 20)
    const headers = { 'User-Agent': 'Netscape/4', 'CF-Connecting-IP': '198.51.100.9', 'X-Request-Id': 'suspend-1' }
    const suspension = { token: admin.accessToken, body: { reason: 'spam' }, headers }
    expectOk(await service.call('POST', `/users/${ada.id}/suspend`, suspension))
    return { admin, ada }
  }

  it('gives what happened, newest first, with every field of the contract and no address', async () => {
    const service = startService()
    const { admin, ada } = await history(service)
    const { events, next_cursor } = expectOk(await list(service, admin, '/audit-events?limit=100'))
    expect(next_cursor).toBeNull()
    expect(events[0]).toEqual({
      id: uuidv7,
      at: service.clock.now().toISOString(),
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
    expect(events.map(({ at }: { at: string }) => at)).toEqual(
      events
        .map(({ at }: { at: string }) => at)
        .toSorted()
        .toReversed(),
    )
    expect(JSON.stringify(events)).not.toContain('@example.com')
  })

  it('gives every event once, however long the pages are, with each filter and both', async () => {
    const service = startService()
    const { admin, ada } = await history(service)
    const all = (await rowsOf('audit_events')).toReversed()
    const filters = [
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
        const path = `/audit-events?${new URLSearchParams(filter as Record<string, string>).toString()}`
        const { items, sizes } = await walk(service, admin, path, 'events', limit)
        expect(ids(items), `${path} ${limit}`).toEqual(expected.map(({ id }) => id))
        if (expected.length > 0) expect(sizes.at(-1)).toBeGreaterThan(0)
      }
    }
  })

  it('still tells what was done to an account that is gone', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const { id, accessToken: token } = await signUp(service, 'ada@example.com')
    await service.call('DELETE', '/users/me', { token, body: { password: goodPassword } })
    const { events } = expectOk(await list(service, admin, `/audit-events?user_id=${id}&type=user.deleted`))
    expect(events).toMatchObject([{ type: 'user.deleted', actor_id: id, user_id: id }])
  })

  it.each([
    ['user_id=x', '/user_id'],
    ['user_id=', '/user_id'],
    ['type=user.flew', '/type'],
    ['type=', '/type'],
    ['limit=0', '/limit'],
    ['limit=101', '/limit'],
    ['cursor=x', '/cursor'],
    ['cursor=YWRhQGV4YW1wbGUuY29t', '/cursor'],
  ])('refuses ?%s with 422', async (query, pointer) => {
    const service = startService()
    const admin = await signUpAdmin(service)
    expectInvalid(await list(service, admin, `/audit-events?${query}`), pointer)
  })

  it('is for ADMIN alone', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    const others = [
      await signUpAs(service, 'MODERATOR', 'mod@example.com', admin),
      await signUp(service, 'user@example.com'),
    ]
    for (const other of others) {
      expectProblem(await list(service, other, '/audit-events'), 403, 'insufficient_permission')
    }
    expectProblem(await service.call('GET', '/audit-events'), 401, 'invalid_token')
  })
})

describe('GET /roles', () => {
  it('tells any signed-in user what each role may do', async () => {
    const service = startService()
    const user = await signUp(service, 'user@example.com')
    const { roles } = expectOk(await list(service, user, '/roles'))
    const moderator = ['content:manage', 'users:read', 'profiles:moderate', 'users:suspend']
    const admin = [
      'users:activate',
      'users:assign-role',
      'users:revoke-sessions',
      'users:reset-password',
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
    expectProblem(await service.call('GET', '/roles'), 401, 'invalid_token')
  })
})
