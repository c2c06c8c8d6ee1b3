/** The outbox, as an ADMIN sees it: what is in a row, what is not, and what reading it costs. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { emailTemplates } from '../../src/services/mail/kinds.ts'
import { connect } from '../../src/store/db.ts'
import { type EmailFilter, selectEmailPages } from '../../src/store/email-list.ts'
import { emailStatuses } from '../../src/store/schema/emails.ts'
import { expectInvalid, expectOk, instant, uuidv7 } from '../support/answers.ts'
import type { Success } from '../support/api.ts'
import { minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { consume, loseConnection, refuse, scriptResend } from '../support/mail-consumer.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword } from '../support/person.ts'
import { startService } from '../support/service.ts'
import { write } from '../support/state.ts'
import { eventOf, tell, webhookSecret } from '../support/webhooks.ts'

const email = 'ada@example.com'

describe('an email in the list', () => {
  it.override('options', { env: { RESEND_WEBHOOK_SECRET: webhookSecret } })

  it('tells its state and its fate, and nothing of what it says', async ({ service, clock, inbox, people, admin }) => {
    clock.advance(minute)
    const { id } = await people.pending(email)
    const mail = inbox.newest(email)
    clock.advance(minute)
    await tell(service, eventOf('delivered', mail))
    const at = (ms: number) => new Date(clock.now().getTime() - ms).toISOString()
    const answer = await admin.emails({ limit: 1 }).answer
    expect(expectOk(answer)).toEqual({
      emails: [
        {
          id: uuidv7,
          template: 'registration',
          user_id: id,
          recipient: email,
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

  it('that is not finished says when it is tried again, and why it was not sent', async ({
    service,
    clock,
    anonymous,
    admin,
  }) => {
    clock.advance(minute)
    await anonymous.register({ email, password: goodPassword })
    const job = service.queued.pop()!
    const [queued] = (await admin.emails()).emails
    const now = clock.now()
    expect(queued).toMatchObject({ status: 'queued', attempts: 0, user_id: null, due_at: now.toISOString() })
    scriptResend(loseConnection)
    await consume(service, [job])
    const [postponed] = (await admin.emails()).emails
    const later = new Date(now.getTime() + 15_000).toISOString()
    expect(postponed).toMatchObject({ status: 'queued', attempts: 1, due_at: later, finished_at: null })
    expect(postponed).toMatchObject({ last_error: 'application_error', user_id: uuidv7 })
    scriptResend(refuse(422, 'validation_error'))
    clock.advance(minute)
    await consume(service, [job])
    // The first may have been accepted all the same.
    const [refused] = (await admin.emails()).emails
    expect(refused).toMatchObject({
      status: 'unknown',
      last_error: 'validation_error',
      due_at: null,
      finished_at: instant,
    })
  })

  it('of a deleted account is its farewell, which names no address any more', async ({ service, ada, admin }) => {
    await admin.deleteUser(ada)
    const mine = () => admin.emails({ user_id: ada.id })
    expect(await mine()).toMatchObject({ emails: [{ template: 'account_deleted', recipient: email }] })
    await service.deliver()
    expect(await mine()).toMatchObject({ emails: [{ status: 'sent', recipient: null }] })
    expect((await admin.emails().answer).text).not.toContain(email)
  })
})

it('the list is for ADMINs only', async ({ anonymous, ada, moderator }) => {
  for (const person of [moderator, ada]) await person.emails().refused(403, 'insufficient_permission')
  await anonymous.emails().refused(401, 'invalid_token')
  const { roles } = await ada.roles()
  const holders = roles.filter(({ permissions }) => permissions.includes('emails:read'))
  expect(holders.map(({ role }) => role)).toEqual(['ADMIN'])
})

it.for([
  { query: 'user_id=7', pointer: '/user_id' },
  { query: 'user_id=', pointer: '/user_id' },
  { query: 'status=lost', pointer: '/status' },
  { query: 'limit=0', pointer: '/limit' },
  { query: 'limit=101', pointer: '/limit' },
  { query: 'cursor=x', pointer: '/cursor' },
  { query: `cursor=${btoa('ada@example.com')}`, pointer: '/cursor' },
])('the list refuses $query with 422', async ({ query, pointer }, { admin }) => {
  expectInvalid(await admin.call('listEmails', { query }).answer, pointer)
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

  it('a page costs two round trips and a small constant times its rows, whatever the filter', async ({
    service,
    admin,
  }) => {
    await populate(60_000)
    const meter = countCosts(env)
    const metered = admin.at(startService({ env: meter.bindings, beside: service }))
    for (const filter of filters) {
      let cursor: string | null = ''
      for (let page = 0; page < 3 && cursor !== null; page++) {
        const query: string = `${filter}&limit=50${cursor ? `&cursor=${cursor}` : ''}`
        const { next_cursor: next } = await metered.call('listEmails', { query })
        const { rowsRead, roundTrips } = meter.take()
        expect(roundTrips, query).toBe(2)
        expect(rowsRead, query).toBeLessThanOrEqual(2 * 51 + 2 * emailStatuses.length + 10)
        cursor = next
      }
    }
  })

  it('every one of them is on one page of each list it belongs to, newest first', async ({ admin }) => {
    await populate(1500)
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
        const query: string = `${filter}&limit=100${cursor ? `&cursor=${cursor}` : ''}`
        const page: Success<'listEmails'> = await admin.call('listEmails', { query })
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
