/** The outbox, as an ADMIN sees it: what is in a row, what is not, and what reading it costs. */
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { emailTemplates } from '../../src/services/mail/kinds.ts'
import { connect } from '../../src/store/db.ts'
import { type EmailFilter, selectEmailPages } from '../../src/store/email-list.ts'
import { emailStatuses } from '../../src/store/schema/emails.ts'
import { expectInvalid, expectOk, expectProblem, instant, uuidv7 } from '../support/answers.ts'
import { minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { consume, loseConnection, refuse, scriptResend } from '../support/mail-consumer.ts'
import { goodPassword, newestMail, register, signUp, signUpAdmin, signUpAs } from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'
import { write } from '../support/state.ts'
import { eventOf, tell, webhookSecret } from '../support/webhooks.ts'

const ada = 'ada@example.com'

const list = async (service: Service, token: string, query = '') =>
  expectOk(await service.call('GET', `/emails?${query}`, { token })).emails as Record<string, unknown>[]

afterEach(() => void vi.restoreAllMocks())

describe('a mail in the list', () => {
  it('tells its state and its fate, and nothing of what it says', async () => {
    const service = startService({ env: { RESEND_WEBHOOK_SECRET: webhookSecret } })
    const { accessToken: token } = await signUpAdmin(service)
    service.clock.advance(minute)
    await register(service, ada)
    const mail = newestMail(service, ada)
    service.clock.advance(minute)
    await tell(service, eventOf('delivered', mail))
    const { json } = await service.call('GET', '/users?email=ada', { token })
    const at = (ms: number) => new Date(service.clock.now().getTime() - ms).toISOString()
    const answer = await service.call('GET', '/emails?limit=1', { token })
    expect(expectOk(answer)).toEqual({
      emails: [
        {
          id: uuidv7,
          template: 'registration',
          user_id: json.users[0].id,
          recipient: ada,
          status: 'sent',
          attempts: 1,
          provider_id: mail.id,
          fate: 'delivered',
          last_error: null,
          created_at: at(minute),
          due_at: null,
          finished_at: at(minute),
          delivered_at: at(0),
        },
      ],
      next_cursor: expect.any(String),
    })
    expect(answer.text).not.toMatch(/token|203\.0\.113|eyJ|http/)
  })

  it('that is not finished says when it is tried again, and why it was not sent', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    service.clock.advance(minute)
    await service.call('POST', '/auth/register', { body: { email: ada, password: goodPassword } })
    const job = service.queued.pop()!
    const [queued] = await list(service, token)
    const now = service.clock.now()
    expect(queued).toMatchObject({ status: 'queued', attempts: 0, user_id: null, due_at: now.toISOString() })
    scriptResend(loseConnection)
    await consume(service, [job])
    const [postponed] = await list(service, token)
    const later = new Date(now.getTime() + 15_000).toISOString()
    expect(postponed).toMatchObject({ status: 'queued', attempts: 1, due_at: later, finished_at: null })
    expect(postponed).toMatchObject({ last_error: 'application_error', user_id: uuidv7 })
    scriptResend(refuse(422, 'validation_error'))
    service.clock.advance(minute)
    await consume(service, [job])
    // The first may have been accepted all the same.
    const [refused] = await list(service, token)
    expect(refused).toMatchObject({
      status: 'unknown',
      last_error: 'validation_error',
      due_at: null,
      finished_at: instant,
    })
  })

  it('of a deleted account is its farewell, which names no address any more', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const { id } = await signUp(service, ada)
    await service.call('DELETE', `/users/${id}`, { token })
    expect(await list(service, token, `user_id=${id}`)).toMatchObject([{ template: 'account_deleted', recipient: ada }])
    await service.deliver()
    expect(await list(service, token, `user_id=${id}`)).toMatchObject([{ status: 'sent', recipient: null }])
    expect((await service.call('GET', '/emails', { token })).text).not.toContain(ada)
  })
})

it('is for ADMINs only', async () => {
  const service = startService()
  const admin = await signUpAdmin(service)
  const moderator = await signUpAs(service, 'MODERATOR', 'moderator@example.com', admin)
  const user = await signUp(service, ada)
  for (const { accessToken: token } of [moderator, user]) {
    expectProblem(await service.call('GET', '/emails', { token }), 403, 'insufficient_permission')
  }
  expectProblem(await service.call('GET', '/emails'), 401, 'invalid_token')
  const { json } = await service.call('GET', '/roles', { token: user.accessToken })
  const holders = json.roles.filter((role: { permissions: string[] }) => role.permissions.includes('emails:read'))
  expect(holders.map(({ role }: { role: string }) => role)).toEqual(['ADMIN'])
})

it.each([
  ['user_id=7', '/user_id'],
  ['user_id=', '/user_id'],
  ['status=lost', '/status'],
  ['limit=0', '/limit'],
  ['limit=101', '/limit'],
  ['cursor=x', '/cursor'],
  [`cursor=${btoa('ada@example.com')}`, '/cursor'],
])('refuses %s', async (query, pointer) => {
  const service = startService()
  const { accessToken: token } = await signUpAdmin(service)
  expectInvalid(await service.call('GET', `/emails?${query}`, { token }), pointer)
})

describe('among 60,000 mails', () => {
  const users = ['01a20320-a200-7000-8000-00000000000a', '01a20320-a200-7000-8000-00000000000b'] as const

  /** Nearly everything is sent, to one user who gets most of it; the rest is rare and old. */
  async function populate(count: number): Promise<void> {
    await write(`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
      insert into emails (id, template, recipient, user_id, params, status, attempts, due_at, created_at, finished_at)
      select printf('%08x-0000-7000-8000-%012x', i, i), '${emailTemplates[0]}', 'x' || i || '@example.com',
        case when i % 10 = 0 then null when i % 999 = 0 then '${users[1]}' else '${users[0]}' end, '{}',
        case when i % 997 = 0 then 'failed' when i % 983 = 0 then 'skipped' when i < 50 then 'unknown'
          when i < 90 then 'queued' when i < 130 then 'sending' else 'sent' end,
        1, i, i, case when i < 130 then null else i end
      from n`)
  }

  const filters = [
    '',
    ...emailStatuses.map((status) => `status=${status}`),
    ...users.map((user) => `user_id=${user}`),
    ...users.flatMap((user) => emailStatuses.map((status) => `user_id=${user}&status=${status}`)),
    'user_id=01a20320-a200-7000-8000-00000000000c',
  ]

  it('a page costs two round trips and a small constant times its rows, whatever the filter', async () => {
    const plain = startService()
    const { accessToken: token } = await signUpAdmin(plain)
    await populate(60_000)
    const meter = countCosts(env)
    const service = startService({ env: meter.bindings, beside: plain })
    for (const filter of filters) {
      let cursor: string | null = ''
      for (let page = 0; page < 3 && cursor !== null; page++) {
        const query: string = `/emails?${filter}&limit=50${cursor ? `&cursor=${cursor}` : ''}`
        const { next_cursor: next } = expectOk(await service.call('GET', query, { token }))
        const { rowsRead, roundTrips } = meter.take()
        expect(roundTrips, query).toBe(2)
        expect(rowsRead, query).toBeLessThanOrEqual(2 * 51 + 2 * emailStatuses.length + 10)
        cursor = next
      }
    }
  })

  it('every one of them is on one page of each list it belongs to, newest first', async () => {
    await populate(1500)
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const { results } = await env.DB.prepare('select id, user_id, status from emails order by id desc').all<{
      id: string
      user_id: string | null
      status: string
    }>()
    for (const filter of filters) {
      const wanted = new URLSearchParams(filter)
      const expected = results
        .filter(({ user_id: user }) => !wanted.has('user_id') || wanted.get('user_id') === user)
        .filter(({ status }) => !wanted.has('status') || wanted.get('status') === status)
      const seen: unknown[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const query: string = `/emails?${filter}&limit=100${cursor ? `&cursor=${cursor}` : ''}`
        const page: { emails: { id: string }[]; next_cursor: string | null } = expectOk(
          await service.call('GET', query, { token }),
        )
        seen.push(...page.emails.map(({ id }) => id))
        cursor = page.next_cursor
      }
      expect(seen, filter).toEqual(expected.map(({ id }) => id))
    }
  })

  it('each kind of list is a walk of an index, with nothing to sort', async () => {
    const plans = async (filter: EmailFilter) => {
      const details: string[] = []
      for (const query of selectEmailPages(connect(env.DB), filter, 21)) {
        const { sql, params } = query.toSQL()
        const plan = await env.DB.prepare(`explain query plan ${sql}`)
          .bind(...params)
          .all<{ detail: string }>()
        details.push(...plan.results.map(({ detail }) => detail))
      }
      return details
    }
    expect(await plans({})).toEqual(['SCAN emails'])
    expect(await plans({ before: 'x' })).toEqual(['SEARCH emails USING PRIMARY KEY (id<?)'])
    expect(await plans({ status: 'sent' })).toEqual(['SEARCH emails USING INDEX emails_status (status=?)'])
    expect(await plans({ userId: 'x', status: 'sent', before: 'x' })).toEqual([
      'SEARCH emails USING INDEX emails_user (user_id=? AND status=? AND id<?)',
    ])
    const details = await plans({ userId: 'x', before: 'x' })
    expect(details.filter((detail) => detail.startsWith('SEARCH'))).toEqual(
      emailStatuses.map(() => 'SEARCH emails USING INDEX emails_user (user_id=? AND status=? AND id<?)'),
    )
    expect(details.join(' ')).not.toContain('TEMP B-TREE')
  })
})
