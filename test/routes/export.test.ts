/** The copy of everything that is kept about a user. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { expectOk, expectProblem, userObject } from '../support/answers.ts'
import { day, minute } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { hookedD1 } from '../support/hooked-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { subjects } from '../support/mails.ts'
import { otherPassword } from '../support/person.ts'
import { tableNames } from '../support/raw-tables.ts'
import { insertAttempts, insertAuditEvents, insertEmails } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, write } from '../support/state.ts'

describe('GET /users/me/export', () => {
  it('gives a file, leaves an event and tells the owner', async ({ service, ada }) => {
    const { answer, effects } = await observe(service, () => ada.exportMe())
    expectOk(answer)
    expect(answer.headers.get('Content-Disposition')).toBe('attachment; filename="account.json"')
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', emails: '+1' },
      events: [{ type: 'user.exported', actor: ada.id, user: ada.id, detail: null }],
      mails: [`${ada.email}: ${subjects.exportMade}`],
    })
  })

  /** Where the copy has what a table knows about a user, or why it has nothing of it. */
  const members: Record<string, string | { reason: string }> = {
    users: 'user',
    sessions: 'sessions',
    one_time_links: 'links',
    email_changes: 'email_change',
    passkeys: 'factors',
    totps: 'factors',
    recovery_codes: 'factors',
    attempt_counters: 'wrong_tries',
    emails: 'emails',
    audit_events: 'activity',
    registrations: { reason: 'they are what strangers entered, and an account that is active has none' },
    ceilings: { reason: 'numbers of two days at most, without content' },
    user_agents: { reason: 'texts of browsers; sessions and activity show those of the user' },
    audit_seals: { reason: 'digests of objects with the events of everybody' },
    sweeps: { reason: 'the places of the cleanup' },
  }

  it('has every table that knows a user', async ({ service, anonymous, ada }) => {
    expect(Object.keys(members).toSorted()).toEqual((await tableNames()).toSorted())
    await anonymous.requestPasswordReset({ email: ada.email })
    await ada.changeEmail('ada.new@example.com')
    await service.deliver()
    await anonymous.login({ email: ada.email, password: otherPassword }).answer
    const copy = expectOk(await ada.exportMe().answer) as Record<string, unknown>
    const named = Object.values(members).filter((member) => typeof member === 'string')
    expect(Object.keys(copy).toSorted()).toEqual(['exported_at', ...new Set(named)].toSorted())
    for (const name of named) expect(JSON.stringify(copy[name]), name).toMatch(/.{10}/)
  })

  it('says what it is about, and when', async ({ service, clock, anonymous, ada }) => {
    await ada.updateMe({ first_name: 'Ada', bio: 'Notes on engines.' })
    const begun = clock.now().toISOString()
    await anonymous.requestPasswordReset({ email: ada.email })
    await ada.changeEmail('ada.new@example.com')
    await service.deliver()
    await anonymous.login({ email: ada.email, password: otherPassword }).answer
    const now = clock.now().toISOString()
    const copy = expectOk(await ada.exportMe().answer)
    expect(copy).toMatchObject({
      exported_at: now,
      user: userObject({
        email: ada.email,
        first_name: 'Ada',
        bio: 'Notes on engines.',
        email_deliverable: true,
        email_changed_at: null,
        password_set_at: begun,
      }),
      sessions: [{ id: ada.sessionId, current: true }],
      email_change: { old_email: ada.email, new_email: 'ada.new@example.com', requested_at: now, changed_at: null },
      wrong_tries: [{ kind: 'account', count: 1, last_at: now }],
    })
    const { emails, links, activity } = copy as {
      emails: { template: string }[]
      links: { purpose: string }[]
      activity: { type: string }[]
    }
    expect(links.map(({ purpose }) => purpose)).toEqual(['reset'])
    expect(emails.map(({ template }) => template)).toContain('account_activated')
    expect(activity.map(({ type }) => type)).toEqual(expect.arrayContaining(['user.exported', 'user.activated']))
  })

  it('counts the wrong codes of every kind, and those of nobody else', async ({ clock, ada, eve }) => {
    for (const { id, sessionId } of [ada, eve]) {
      const keys = [`factor:${id}`, `mail-code:${id}:${sessionId}`]
      await insertAttempts(keys.map((key) => ({ key, count: 2, updatedAt: clock.now() })))
    }
    const last_at = clock.now().toISOString()
    const { wrong_tries: tries } = expectOk(await ada.exportMe().answer) as { wrong_tries: { kind: string }[] }
    expect(tries.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual([
      { kind: 'factor', count: 2, last_at },
      { kind: 'mail_code', count: 2, last_at },
    ])
  })

  it('has no secret, nobody else, and nothing that tells whether an address has an account', async ({
    service,
    people,
    moderator,
    admin,
    ada,
    eve,
  }) => {
    await moderator.suspend(ada)
    await moderator.reinstate(ada)
    await admin.startPasswordReset(ada)
    await write("update users set email_problem = 'bounced' where id = ?", eve.id)
    const back = await people.signIn(ada.email)
    await back.changeEmail(eve.email)
    await back.changeEmail('nobody@example.com')
    await service.deliver()
    const { text, json } = await back.exportMe().answer
    for (const { id, email } of [moderator, admin, eve]) {
      expect(text).not.toContain(id)
      expect(text).not.toContain(email)
    }
    expect(text).not.toMatch(/eyJ|hash|secret|digest|binding|public_key|network|device_id/i)
    const asked = (json as { emails: { template: string }[] }).emails.filter(
      ({ template }) => template === 'email_change',
    )
    expect(asked).toHaveLength(2)
    for (const each of asked) expect(each).toMatchObject({ recipient: null, status: null, finished_at: null })
  })

  it('has the same members whether or not a wanted address has an account', async ({ service, ada, eve, people }) => {
    const other = await people.signUp('other@example.com')
    await ada.changeEmail(eve.email)
    await other.changeEmail('nobody@example.com')
    await service.deliver()
    const [taken, free] = [expectOk(await ada.exportMe().answer), expectOk(await other.exportMe().answer)]
    const shapeOf = ({ links, emails, activity }: typeof taken) => ({
      links,
      emails: emails.map(({ template, status }) => `${template} ${status}`).toSorted(),
      activity: activity.map(({ type }) => type).toSorted(),
    })
    expect(shapeOf(taken)).toEqual(shapeOf(free))
  })

  it('lists only emails about the user, not those of who had the address before', async ({ service, people, ada }) => {
    await insertEmails([{ recipient: ada.email, template: 'role_changed', finishedAt: service.clock.now() }])
    const other = await people.signUp('other@example.com')
    await insertEmails([{ recipient: ada.email, userId: other.id, template: 'account_suspended' }])
    const { text } = await ada.exportMe().answer
    expect(text).not.toMatch(/role_changed|account_suspended/)
  })

  it('is read page by page, whole and in order', async ({ clock, ada }) => {
    await insertAuditEvents(Array.from({ length: 250 }, () => ({ type: 'user.signed_in', userId: ada.id })))
    await insertEmails(Array.from({ length: 230 }, () => ({ recipient: ada.email, userId: ada.id })))
    const statements: string[][] = []
    const metered = startService({
      env: { DB: hookedD1(env.DB, (batch) => void statements.push(batch)) },
      platform: { now: clock.now },
    })
    const copy = expectOk(await ada.at(metered).exportMe().answer)
    for (const [list, least] of [
      [copy.activity, 250],
      [copy.emails, 230],
    ] as const) {
      const ids = list.map(({ id }) => id)
      expect(ids.length).toBeGreaterThan(least)
      expect(ids).toEqual([...new Set(ids)].toSorted().toReversed())
    }
    // One to authenticate, one for all that is short and the first pages, two more pages of each list.
    expect(statements).toHaveLength(6)
  })

  it('breaks off when the database fails in the middle, so that no half copy looks whole', async ({ clock, ada }) => {
    const log = captureLog()
    await insertAuditEvents(Array.from({ length: 150 }, () => ({ type: 'user.signed_in', userId: ada.id })))
    let batches = 0
    const failing = hookedD1(env.DB, () => {
      if (++batches > 2) throw new Error('D1_ERROR: no')
    })
    const service = startService({ env: { DB: failing }, platform: { now: clock.now, sleep: async () => undefined } })
    await expect(ada.at(service).exportMe().answer).rejects.toThrow()
    expect(log.entries('request.failed')).toHaveLength(1)
  })

  it('is given once a day', async ({ service, clock, ada }) => {
    await ada.exportMe()
    const { answer, effects } = await observe(service, () => ada.exportMe())
    expectProblem(answer, 429, 'rate_limited')
    expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0)
    expect(effects).toEqual(nothing)
    clock.advance(day)
    await (await ada.signIn()).exportMe()
  })

  it('needs a recent proof', async ({ service, clock, ada }) => {
    clock.advance(10 * minute + 1)
    const stale = await ada.renewed()
    const { answer, effects } = await observe(service, () => stale.exportMe())
    expectProblem(answer, 401, 'insufficient_user_authentication')
    expect(effects).toEqual(nothing)
    await (await ada.signIn()).exportMe()
  })

  it('is refused with an unknown parameter', async ({ ada }) => {
    await ada.call('exportMe', { query: { format: 'csv' } }).refused(422, 'validation_failed')
  })
})
