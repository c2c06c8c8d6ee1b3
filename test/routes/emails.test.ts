/** The outbox, as an ADMIN sees it: what is in a row, what is not, and what reading it costs. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { emailTemplates } from '../../src/services/mail/kinds.ts'
import { connect } from '../../src/store/db.ts'
import { type EmailFilter, maxWalked, selectEmails } from '../../src/store/email-list.ts'
import { emailStatuses } from '../../src/store/schema/emails.ts'
import { expectInvalid, expectOk, instant, uuidv7 } from '../support/answers.ts'
import type { Success } from '../support/api.ts'
import type { Caller } from '../support/caller.ts'
import { minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { consume, loseConnection, refuse, scriptResend } from '../support/mail-consumer.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword } from '../support/person.ts'
import { type Service, startService } from '../support/service.ts'
import { rowsOf, write } from '../support/state.ts'
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
  const [bytesOfMost, bytesOfSome] = users.map((user) => `x'${user.replaceAll('-', '')}'`)
  const numbers = { queued: 0, sending: 1, sent: 2, skipped: 3, failed: 4, unknown: 5 }

  async function insert(count: number, after: number, status: string): Promise<void> {
    await env.DB.prepare(
      `with recursive n(i) as (select ?1 + 1 union all select i + 1 from n where i < ?1 + ?2)
        insert into emails (id, template, recipient, user_id, budget, params, status, attempts, due_at, announce_at, finished_at)
        select unhex(printf('%012x70008000%012x', i, i)), '${emailTemplates[0]}', 'x' || i || '@example.com',
          case when i % 10 = 0 then null when i % 999 = 0 then ${bytesOfSome} else ${bytesOfMost} end, '', '{}',
          ${status}, 1, i, i, i
        from n`,
    )
      .bind(after, count)
      .run()
  }

  /** Nearly everything is sent, to one user who gets most of it; the rest is rare and old. */
  const populate = (count: number) =>
    insert(
      count,
      0,
      `case when i % 997 = 0 then ${numbers.failed} when i % 983 = 0 then ${numbers.skipped}
        when i < 50 then ${numbers.unknown} when i < 90 then ${numbers.queued} when i < 130 then ${numbers.sending}
        else ${numbers.sent} end`,
    )

  const filters = [
    '',
    ...emailStatuses.map((status) => `status=${status}`),
    ...users.map((user) => `user_id=${user}`),
    ...users.flatMap((user) => emailStatuses.map((status) => `user_id=${user}&status=${status}`)),
    'user_id=01a20320-a200-7000-8000-00000000000c',
  ]

  /** All pages of a list, with what each cost. */
  async function read(admin: Caller, service: Service, filter: string, maxPages = Infinity) {
    const meter = countCosts(env)
    const metered = admin.at(startService({ env: meter.bindings, beside: service }))
    const pages = []
    let cursor: string | null = ''
    while (cursor !== null && pages.length < maxPages) {
      const query: string = `${filter}&limit=50${cursor ? `&cursor=${cursor}` : ''}`
      const page: Success<'listEmails'> = await metered.call('listEmails', { query })
      cursor = page.next_cursor
      pages.push({ ids: page.emails.map(({ id }) => id), ...meter.take() })
    }
    return pages
  }

  /** Those of one user and one status, or of the one that most have, are found by looking at others, too. */
  const isWalk = (filter: string) => /^(user_id=.*&status=|status=sent)/.test(filter)

  it('a page costs a small constant times its rows, and a look at 10,000 others at most', async ({
    service,
    admin,
  }) => {
    await populate(60_000)
    for (const filter of filters) {
      for (const { rowsRead, roundTrips } of await read(admin, service, filter, 3)) {
        expect(roundTrips, filter).toBeLessThanOrEqual(isWalk(filter) ? 3 : 2)
        const open = /^status=(queued|sending)/.test(filter) ? 2 * 80 : 0
        const bound = isWalk(filter) && filter !== 'status=sent' ? 3 * maxWalked : 2 * 51 + open
        expect(rowsRead, filter).toBeLessThanOrEqual(bound + 10)
      }
    }
  })

  it('every one of them is on one page of each list it belongs to, newest first', async ({ service, admin }) => {
    await populate(1500)
    const rows = await rowsOf('emails')
    for (const filter of filters) {
      const wanted = new URLSearchParams(filter)
      const expected = rows
        .filter(({ user_id: user }) => !wanted.has('user_id') || wanted.get('user_id') === user)
        .filter(({ status }) => !wanted.has('status') || wanted.get('status') === status)
      const seen = (await read(admin, service, filter)).flatMap(({ ids }) => ids)
      expect(seen, filter).toEqual(expected.map(({ id }) => id).toReversed())
    }
  })

  it('those that are sent are found behind a backlog, by pages that are short', async ({ service, admin }) => {
    await write('delete from emails')
    await insert(60, 0, `${numbers.sent}`)
    await insert(2 * maxWalked + 5, 60, `${numbers.queued}`)
    const pages = await read(admin, service, 'status=sent')
    expect(pages.map(({ ids }) => ids.length)).toEqual([0, 0, 50, 10])
    for (const { rowsRead } of pages) expect(rowsRead).toBeLessThanOrEqual(2 * maxWalked + 10)
    const [queued] = await read(admin, service, 'status=queued', 1)
    expect(queued!.ids).toHaveLength(50)
    expect(queued!.rowsRead).toBeLessThanOrEqual(maxWalked + 4 * 51)
  })

  it('each kind of list is a walk of an index, with nothing to sort', async () => {
    const plan = async (filter: EmailFilter) => {
      const { sql, params } = selectEmails(connect(env.DB), filter, 21).toSQL()
      const { results } = await env.DB.prepare(`explain query plan ${sql}`)
        .bind(...params)
        .all<{ detail: string }>()
      return results.map(({ detail }) => detail)
    }
    const [userId] = users
    const before = userId
    expect(await plan({})).toEqual(['SCAN emails'])
    expect(await plan({ before })).toEqual(['SEARCH emails USING PRIMARY KEY (id<?)'])
    expect(await plan({ userId, before })).toEqual(['SEARCH emails USING INDEX emails_user (user_id=? AND id<?)'])
    expect(await plan({ status: 'failed', before })).toEqual([
      'SEARCH emails USING INDEX emails_status (status=? AND id<?)',
    ])
    expect(await plan({ status: 'sent', before })).toEqual([
      'CO-ROUTINE walked',
      'SEARCH emails USING PRIMARY KEY (id<?)',
      'SCAN walked',
    ])
    expect(await plan({ userId, status: 'failed', before })).toEqual([
      'CO-ROUTINE walked',
      'SEARCH emails USING INDEX emails_user (user_id=? AND id<?)',
      'SCAN walked',
    ])
  })
})
