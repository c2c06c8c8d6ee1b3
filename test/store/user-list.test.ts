/** The list of users at 200,000 users: what a page costs, whether it is complete, and the query plans. */
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { connect } from '../../src/store/db.ts'
import { type UserFilter, listUsers } from '../../src/store/users.ts'
import type { QueryOf } from '../support/api.ts'
import { countCosts } from '../support/counting.ts'
import { it } from '../support/fixtures.ts'
import { insertUsers } from '../support/rows.ts'
import { startService } from '../support/service.ts'

const population = 200_000

/** Nearly all are active USERs, as in life. Without its index, a filter for the others would scan very many rows. */
async function populate(): Promise<void> {
  await env.DB.prepare(`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${population})
    insert into users (id, email, role, status, updated_at)
    select unhex(printf('%08x000070008000%012x', i, i)),
      printf('%s%06d@example.com', case i % 4 when 0 then 'anna' when 1 then 'ben' when 2 then 'carla' else 'dov' end, i),
      case when i % 5000 = 0 then 2 when i % 1000 = 0 then 1 else 0 end,
      case when i % 700 = 0 then 2 when i % 300 = 0 then 0 else 1 end,
      i
    from n`).run()
}

const filters: QueryOf<'listUsers'>[] = [
  {},
  { role: 'USER' },
  { role: 'MODERATOR' },
  { role: 'ADMIN' },
  { status: 'active' },
  { status: 'pending' },
  { status: 'suspended' },
  { role: 'USER', status: 'active' },
  { role: 'ADMIN', status: 'suspended' },
  { role: 'MODERATOR', status: 'pending' },
  { email: 'anna' },
  { email: 'ben1999' },
  { email: 'nobody' },
  { email: 'anna', role: 'ADMIN' },
  { email: 'anna', role: 'USER' },
  { email: 'carla', status: 'suspended' },
  { email: 'b', status: 'active' },
  { email: 'anna', role: 'USER', status: 'pending' },
]

/** Three ranges, each read to the end of the page and one row further, and the rows of the caller's own account. */
const maxRowsRead = (limit: number) => 3 * (limit + 1) + 10

it(`reads a small constant times the page, whatever the filter, of ${population} users`, async ({ service, admin }) => {
  await populate()
  const meter = countCosts(env)
  const caller = admin.at(startService({ env: meter.bindings, beside: service }))
  for (const filter of filters) {
    let cursor: string | null | undefined
    for (let page = 0; page < 3 && cursor !== null; page++) {
      const query = { ...filter, limit: 50, ...(cursor && { cursor }) }
      const { next_cursor } = await caller.users(query)
      const { rowsRead, statements } = meter.take()
      expect(rowsRead, `${JSON.stringify(query)}\n${statements.join('\n')}`).toBeLessThanOrEqual(maxRowsRead(50))
      cursor = next_cursor
    }
  }

  // A page far from the start costs no more: pages start at a key, not at an offset.
  const deep = await listUsers(connect(env.DB), { after: '000003e8-0000-7000-8000-0000000003e8' }, 21)
  expect(deep[0]!.id).toBe('000003e7-0000-7000-8000-0000000003e7')
})

it('lists every user once and in order over the pages of every filter', async () => {
  const everybody = await insertUsers(
    Array.from({ length: 300 }, (_, index) => {
      const number = index + 1
      const hex = (length: number) => number.toString(16).padStart(length, '0')
      return {
        id: `${hex(8)}-0000-7000-8000-${hex(12)}`,
        email: `${number % 2 === 0 ? 'a' : 'b'}${String((number * 7) % 300).padStart(3, '0')}@example.com`,
        role: (['ADMIN', 'MODERATOR', 'USER'] as const)[number % 3]!,
        status: (['suspended', 'pending', 'active', 'active', 'active'] as const)[number % 5]!,
      }
    }),
  )
  const db = connect(env.DB)
  const choices: UserFilter[] = [{}]
  for (const role of [undefined, 'USER', 'MODERATOR', 'ADMIN'] as const) {
    for (const status of [undefined, 'pending', 'active', 'suspended'] as const) {
      for (const emailPrefix of [undefined, 'a', 'b1']) choices.push({ role, status, emailPrefix })
    }
  }
  for (const filter of choices) {
    const expected = everybody
      .filter(({ role }) => filter.role === undefined || role === filter.role)
      .filter(({ status }) => filter.status === undefined || status === filter.status)
      .filter(({ email }) => filter.emailPrefix === undefined || email.startsWith(filter.emailPrefix))
      .toSorted((a, b) => (filter.emailPrefix === undefined ? (a.id < b.id ? 1 : -1) : a.email < b.email ? -1 : 1))
      .map(({ id }) => id)
    const seen: string[] = []
    let after: string | undefined
    for (;;) {
      const page = await listUsers(db, { ...filter, after }, 7)
      seen.push(...page.map(({ id }) => id))
      const last = page.at(-1)
      if (!last || page.length < 7) break
      after = filter.emailPrefix === undefined ? last.id : last.email
    }
    expect(seen, JSON.stringify(filter)).toEqual(expected)
  }
})

it('reads each kind of list along an index, without sorting', async () => {
  const db = connect(env.DB)
  const plan = async (filter: UserFilter) => {
    const { sql, params } = listUsers(db, filter, 21).toSQL()
    const { results } = await env.DB.prepare(`explain query plan ${sql}`)
      .bind(...params)
      .all<{ detail: string }>()
    // What each user of the page has besides is found by its own key.
    const ofFactors = /^CORRELATED SCALAR SUBQUERY|^SEARCH (passkeys USING COVERING INDEX|totps USING PRIMARY KEY)/
    return results.map(({ detail }) => detail).filter((detail) => !ofFactors.test(detail))
  }
  expect(await plan({})).toEqual(['SCAN users'])
  expect(await plan({ after: '000003e8-0000-7000-8000-0000000003e8' })).toEqual([
    'SEARCH users USING PRIMARY KEY (id<?)',
  ])
  expect(await plan({ emailPrefix: 'a' })).toEqual(['SEARCH users USING INDEX users_email (email>? AND email<?)'])
  expect(await plan({ role: 'ADMIN', status: 'active' })).toEqual([
    'SEARCH users USING INDEX users_role_status_id (role=? AND status=?)',
  ])
  for (const filter of [{ role: 'ADMIN' }, { status: 'pending' }] as const) {
    const details = await plan(filter)
    expect(details[0]).toBe('MERGE (UNION ALL)')
    expect(details.filter((detail) => detail.startsWith('SEARCH'))).toEqual(
      Array(3).fill('SEARCH users USING INDEX users_role_status_id (role=? AND status=?)'),
    )
    expect(details.join(' ')).not.toContain('TEMP B-TREE')
  }
  for (const filter of [
    { role: 'ADMIN', emailPrefix: 'a' },
    { status: 'pending', emailPrefix: 'a' },
  ] as const) {
    const details = await plan(filter)
    expect(details.filter((detail) => detail.startsWith('SEARCH'))).toEqual(
      Array(3).fill('SEARCH users USING INDEX users_role_status_email (role=? AND status=? AND email>? AND email<?)'),
    )
    expect(details.join(' ')).not.toContain('TEMP B-TREE')
  }
})
