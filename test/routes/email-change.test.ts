/** A new address for an account: asked for, proven by a link, and undone by the owner of the old one. */
import { describe, expect } from 'vitest'
import { bytesOf, expectInvalid, expectNoContent, expectOk, expectProblem } from '../support/answers.ts'
import type { Caller } from '../support/caller.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { it as base } from '../support/fixtures.ts'
import { type Inbox, linkTokenIn } from '../support/inbox.ts'
import { subjects } from '../support/mails.ts'
import { givePasskey } from '../support/passkeys.ts'
import { type Person, expectEnded, goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { type Service, startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, write } from '../support/state.ts'
import { proveIn, strengths, takePassword } from '../support/strength.ts'

const old = 'ada@example.com'
const address = 'ada.new@example.com'

/** Asks for an address and gives the tokens of both emails. */
async function ask(service: Service, inbox: Inbox, person: Person, email = address) {
  await person.changeEmail(email)
  await service.deliver()
  return { confirm: inbox.linkToken(email), revert: inbox.linkToken(person) }
}

/** Ada after a change, in the session in which she asked for it. */
const it = base.extend('links', async ({ service, inbox, ada }) => ask(service, inbox, ada))

const changes = () => rowsOf('email_changes')

describe('POST /users/me/email', () => {
  it('mails a link to the new address and a notice to the old one, and changes nothing yet', async ({
    service,
    ada,
  }) => {
    const { answer, effects } = await observe(service, () => ada.changeEmail(` ${address.toUpperCase()}`))
    expect(answer).toMatchObject({ status: 202, json: { message: expect.any(String) } })
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', email_changes: '+1', emails: '+2' },
      events: [{ type: 'user.email_change_requested', actor: ada.id, user: ada.id, detail: null }],
      mails: [`${old}: ${subjects.emailChangeNotice}`, `${address}: ${subjects.emailChange}`],
    })
    expect((await ada.me()).email).toBe(old)
  })

  it('answers, writes and tells the old mailbox the same, whatever the address is', async ({
    service,
    people,
    inbox,
    anonymous,
    eve,
  }) => {
    await people.register('pending@example.com')
    const moved = await people.signUp('moved@example.com')
    await moved.confirmEmail((await ask(service, inbox, moved, 'moved.new@example.com')).confirm)
    const taken = [eve.email, moved.email]
    const seen = []
    for (const email of ['free@example.com', 'pending@example.com', ...taken]) {
      const asking = (await people.signUp(`asks-${email}`)).from({ headers: { 'X-Request-Id': 'same' } })
      const { answer, effects } = await observe(service, () => asking.changeEmail(email))
      const [mail, notice] = [effects.mails.find((each) => each.startsWith(`${email}:`)), inbox.newest(asking)]
      seen.push({ answer: bytesOf(answer), rows: effects.rows, notice: notice.subject })
      expect(mail).toBe(`${email}: ${taken.includes(email) ? subjects.emailChangeTaken : subjects.emailChange}`)
    }
    for (const each of seen) expect(each).toEqual(seen[0])
    expect(seen[0]!.notice).toBe(subjects.emailChangeNotice)
    await anonymous.login({ email: eve.email, password: goodPassword })
  })

  it('answers the same for the own address, whose mailbox is told that it is in use', async ({ service, ada }) => {
    const { answer, effects } = await observe(service, () => ada.changeEmail(old))
    expect(answer.status).toBe(202)
    expect(effects.mails).toEqual([`${old}: ${subjects.emailChangeTaken}`])
  })

  it('replaces an earlier request, whose link to the new address no longer works', async ({ service, inbox, ada }) => {
    const first = await ask(service, inbox, ada, 'first@example.com')
    const second = await ask(service, inbox, ada, 'second@example.com')
    await ada.confirmEmail(first.confirm).refused(400, 'invalid_link')
    expect((await ada.confirmEmail(second.confirm)).email).toBe('second@example.com')
  })

  it('changes the address of an account without a password, which gets one when that is undone', async ({
    service,
    inbox,
    anonymous,
    ada,
  }) => {
    await givePasskey(ada, {}, { id: '01936f6e-0000-7000-8000-000000000000' })
    await takePassword(ada)
    await proveIn(ada, strengths.passkey)
    const { confirm, revert } = await ask(service, inbox, ada)
    expect((await ada.confirmEmail(confirm)).email).toBe(address)
    await anonymous.revertEmail(revert)
    await service.deliver()
    const mail = inbox.all(old).find(({ subject }) => subject === subjects.passwordReset)!
    await anonymous.completePasswordReset({ token: linkTokenIn(mail), new_password: otherPassword })
    await anonymous.login({ email: old, password: otherPassword }).refused(403, 'second_factor_required')
    expect(await rowsOf('passkeys')).toHaveLength(1)
  })

  it('needs a recent proof', async ({ service, clock, ada }) => {
    clock.advance(10 * minute + 1)
    const stale = await ada.renewed()
    const { answer, effects } = await observe(service, () => stale.changeEmail(address))
    expectProblem(answer, 401, 'insufficient_user_authentication')
    expect(answer.headers.get('WWW-Authenticate')).toContain('max_age="600"')
    expect(effects).toEqual(nothing)
  })

  it('is refused while an earlier change can be undone', async ({ service, clock, people, ada, links }) => {
    await ada.confirmEmail(links.confirm)
    const { answer, effects } = await observe(service, () => ada.changeEmail('third@example.com'))
    expectProblem(answer, 409, 'email_recently_changed')
    expect(effects).toEqual(nothing)
    clock.advance(3 * day)
    await (await people.signIn(address)).changeEmail('third@example.com')
  })

  it('takes five requests an hour, so that no mailbox is flooded, and says when to try again', async ({
    service,
    ada,
  }) => {
    for (let time = 0; time < 5; time++) await ada.changeEmail(`a${time}@example.com`)
    const { answer, effects } = await observe(service, () => ada.changeEmail('one.more@example.com'))
    expectProblem(answer, 429, 'rate_limited')
    expect(Number(answer.headers.get('Retry-After'))).toBe(3600)
    expect(effects).toEqual(nothing)
  })

  it('takes ten requests a day, those for the own address included', async ({ clock, ada }) => {
    for (let time = 0; time < 10; time++) await ada.changeEmail(old)
    const { answer } = ada.changeEmail(old)
    expectProblem(await answer, 429, 'rate_limited')
    const restOfDay = Math.ceil((day - (clock.now().getTime() % day)) / second)
    expect(Number((await answer).headers.get('Retry-After'))).toBe(restOfDay)
    clock.advance(day)
    await (await ada.signIn()).changeEmail(old)
  })

  it('refuses what is no address', async ({ service, ada }) => {
    for (const email of ['', 'ada', 'a@b, c@d.example', 7, null]) {
      expectInvalid(await ada.call('changeEmail', { body: { email } }).answer, '/email')
    }
    expect(await changes()).toEqual([])
    expect(service.queued).toEqual([])
  })
})

describe('POST /users/me/email/confirm', () => {
  it('gives the account the address, and tells both', async ({ service, clock, ada, links }) => {
    clock.advance(minute)
    const { answer, effects } = await observe(service, () => ada.confirmEmail(links.confirm))
    expect(expectOk(answer)).toMatchObject({ id: ada.id, email: address, updated_at: clock.now().toISOString() })
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', users: '~1', email_changes: '~1', emails: '+2', one_time_links: '-1' },
      events: [{ type: 'user.email_changed', actor: ada.id, user: ada.id, detail: null }],
      mails: [`${address}: ${subjects.emailChanged}`, `${old}: ${subjects.emailChanged}`],
    })
    expect((await ada.me()).email).toBe(address)
  })

  it('makes the new address the one for every sign-in and reset, and the old one nobody’s', async ({
    service,
    inbox,
    people,
    anonymous,
    ada,
    links,
  }) => {
    await ada.confirmEmail(links.confirm)
    await service.deliver()
    await people.signIn(address)
    await anonymous.login({ email: old, password: goodPassword }).refused(401, 'invalid_credentials')
    const before = inbox.all(old).length
    await anonymous.requestPasswordReset({ email: old })
    await service.deliver()
    expect(inbox.all(old)).toHaveLength(before)
    await anonymous.completePasswordReset({ token: await people.resetToken(address), new_password: otherPassword })
  })

  it('gives the new mailbox no reset before it is proven', async ({ service, inbox, anonymous, ada }) => {
    await ask(service, inbox, ada)
    await anonymous.requestPasswordReset({ email: address })
    await service.deliver()
    expect(inbox.subjects(address)).toEqual([subjects.emailChange])
  })

  it('ends links for a new password, also one that is still on its way to the old address', async ({
    service,
    inbox,
    people,
    anonymous,
    ada,
    links,
  }) => {
    const reset = await people.resetToken(old)
    await anonymous.requestPasswordReset({ email: old })
    await ada.confirmEmail(links.confirm)
    const before = inbox.subjects(old).filter((subject) => subject === subjects.passwordReset)
    await service.deliver()
    expect(inbox.subjects(old).filter((subject) => subject === subjects.passwordReset)).toEqual(before)
    await anonymous.completePasswordReset({ token: reset, new_password: otherPassword }).refused(400, 'invalid_link')
  })

  it('makes devices strangers, and takes the count of wrong passwords along', async ({ anonymous, ada, links }) => {
    const { device_token } = await anonymous.login({ email: old, password: goodPassword })
    for (let time = 0; time < 3; time++) {
      await anonymous.login({ email: old, password: otherPassword }).refused(401, 'invalid_credentials')
      await anonymous.login({ email: old, password: otherPassword, device_token }).refused(401, 'invalid_credentials')
    }
    await ada.confirmEmail(links.confirm)
    expect(await rowsOf('attempt_counters')).toMatchObject([{ key: `account:${address}`, count: 3 }])
    await anonymous.login({ email: address, password: otherPassword, device_token }).refused(401, 'invalid_credentials')
    expect(await rowsOf('attempt_counters')).toMatchObject([{ key: `account:${address}`, count: 4 }])
  })

  it('lets mail go to the account again', async ({ ada, links }) => {
    await write("update users set email_problem = 'bounced' where id = ?", ada.id)
    await ada.confirmEmail(links.confirm)
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ email_problem: null })
  })

  it('takes the address from a pending account, which anybody could have registered', async ({
    service,
    people,
    anonymous,
    ada,
    links,
  }) => {
    const pending = await people.pending(address)
    const { effects } = await observe(service, () => ada.confirmEmail(links.confirm))
    expect(effects.rows).toMatchObject({ registrations: '-1', one_time_links: '-2' })
    expect(effects.events).toContainEqual({ type: 'user.expired', actor: null, user: pending.id, detail: null })
    expect(await rowsOf('users')).toHaveLength(1)
    await anonymous.activate({ token: pending.link, password: goodPassword }).refused(400, 'invalid_link')
  })

  it.for<{ when: string; spoil: (scene: { service: Service; ada: Person; eve: Person }) => Promise<unknown> }>([
    {
      when: 'the address has an account meanwhile',
      spoil: ({ eve }) => write(`update users set email = '${address}' where id = ?`, eve.id),
    },
    { when: 'an hour has passed', spoil: async ({ service }) => service.clock.advance(hour) },
    {
      when: 'the password was changed',
      spoil: ({ ada }) => ada.changePassword({ old_password: goodPassword, new_password: otherPassword }),
    },
    {
      when: 'the factors were changed',
      spoil: ({ ada }) =>
        write("update users set factors_id = '01936f6e-0000-7000-8000-000000000000' where id = ?", ada.id),
    },
    {
      when: 'the address is another one',
      spoil: ({ ada }) => write("update users set email = 'x@example.com' where id = ?", ada.id),
    },
    { when: 'it was asked for again', spoil: ({ ada }) => ada.changeEmail('other@example.com') },
    { when: 'its user confirmed it already', spoil: async () => undefined },
  ])('gives one refusal when $when', async ({ when, spoil }, { service, ada, eve, links }) => {
    if (when.startsWith('its user')) await ada.confirmEmail(links.confirm)
    await spoil({ service, ada, eve })
    const person = when === 'an hour has passed' ? await ada.renewed() : ada
    const { answer, effects } = await observe(service, () => person.confirmEmail(links.confirm))
    expectProblem(answer, 400, 'invalid_link')
    expect(effects).toEqual(nothing)
  })

  it('gives the same refusal to another user, and to another kind of token or none at all', async ({
    service,
    people,
    ada,
    eve,
    links,
  }) => {
    const tokens = [links.revert, await people.resetToken(old), 'x', `${links.confirm}x`]
    const { effects } = await observe(service, async () => {
      await eve.confirmEmail(links.confirm).refused(400, 'invalid_link')
      for (const token of tokens) await ada.confirmEmail(token).refused(400, 'invalid_link')
    })
    expect(effects).toEqual(nothing)
  })

  it('is refused after a suspension, also once that has ended', async ({ service, people, moderator, ada, links }) => {
    await moderator.suspend(ada)
    await moderator.reinstate(ada)
    const back = await people.signIn(old)
    const { answer, effects } = await observe(service, () => back.confirmEmail(links.confirm))
    expectProblem(answer, 400, 'invalid_link')
    expect(effects).toEqual(nothing)
  })

  it('never makes an ADMIN by the bootstrap address', async ({ service, inbox, people, ada }) => {
    const { confirm } = await ask(service, inbox, ada, 'admin@example.com')
    await ada.confirmEmail(confirm)
    const back = await people.signIn('admin@example.com')
    expect((await back.me()).role).toBe('USER')
    service.clock.advance(30 * day)
    await service.runCron('0 * * * *')
    expect((await (await people.signIn('admin@example.com')).me()).role).toBe('USER')
  })
})

describe('an email to the new address', () => {
  it('that waited for the provider says what is right at its delivery', async ({ service, inbox, people, ada }) => {
    await ada.changeEmail(address)
    const waiting = service.queued.splice(0)
    await people.signUp(address)
    service.queued.push(...waiting)
    await service.deliver()
    expect(inbox.subjects(address)[0]).toBe(subjects.emailChangeTaken)
  })

  it('is not sent when the request is void by then', async ({ service, inbox, ada }) => {
    await ada.changeEmail(address)
    await ada.changePassword({ old_password: goodPassword, new_password: otherPassword })
    await service.deliver()
    expect(inbox.all(address)).toEqual([])
  })
})

describe('POST /auth/email/revert', () => {
  it('stops a request, and takes password, sessions and links', async ({ service, people, anonymous, ada, links }) => {
    const reset = await people.resetToken(old)
    const other = await people.signIn(old)
    const { answer, effects } = await observe(service, () => anonymous.revertEmail(links.revert))
    expectNoContent(answer)
    expect(effects).toEqual({
      rows: {
        audit_events: '+1',
        users: '~1',
        sessions: '-2',
        one_time_links: '-2',
        email_changes: '-1',
        emails: '+3',
      },
      events: [{ type: 'user.email_change_reverted', actor: null, user: ada.id, detail: null }],
      revoked: [ada.sessionId, other.sessionId].toSorted(),
      mails: expect.arrayContaining([
        `${old}: ${subjects.emailReverted}`,
        `${address}: ${subjects.emailReverted}`,
        `${old}: ${subjects.passwordReset}`,
      ]) as string[],
    })
    await expectEnded(ada)
    await anonymous.login({ email: old, password: goodPassword }).refused(401, 'invalid_credentials')
    await anonymous.completePasswordReset({ token: reset, new_password: otherPassword }).refused(400, 'invalid_link')
  })

  it('gives the address back after the change, and a link for a new password', async ({
    service,
    inbox,
    people,
    anonymous,
    ada,
    links,
  }) => {
    await ada.confirmEmail(links.confirm)
    await service.deliver()
    service.clock.advance(2 * day)
    await anonymous.revertEmail(links.revert)
    await service.deliver()
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ email: old, status: 'active' })
    expect(await changes()).toEqual([])
    expect(inbox.subjects(address)[0]).toBe(subjects.emailReverted)
    const token = linkTokenIn(inbox.all(old).find(({ subject }) => subject === subjects.passwordReset)!)
    await anonymous.completePasswordReset({ token, new_password: otherPassword })
    await people.signIn(old, otherPassword)
  })

  it('lets mail go to the old address again, whatever became of the new one', async ({
    service,
    inbox,
    anonymous,
    ada,
    links,
  }) => {
    await ada.confirmEmail(links.confirm)
    await service.deliver()
    await write("update users set email_problem = 'bounced' where id = ?", ada.id)
    await anonymous.revertEmail(links.revert)
    await service.deliver()
    expect(inbox.subjects(old)).toContain(subjects.passwordReset)
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ email_problem: null })
  })

  it('sends the link for a new password, however many strangers asked for', async ({
    service,
    inbox,
    anonymous,
    links,
  }) => {
    for (let time = 0; time < 6; time++) await anonymous.requestPasswordReset({ email: old })
    await service.deliver()
    const before = inbox.subjects(old).filter((subject) => subject === subjects.passwordReset)
    await anonymous.revertEmail(links.revert)
    await service.deliver()
    const after = inbox.subjects(old).filter((subject) => subject === subjects.passwordReset)
    expect(after).toHaveLength(before.length + 1)
  })

  it('works with the link in the email about the change, too, for as long as the address is reserved', async ({
    service,
    inbox,
    anonymous,
    ada,
    links,
  }) => {
    service.clock.advance(50 * minute)
    await (await ada.renewed()).confirmEmail(links.confirm)
    await service.deliver()
    service.clock.advance(3 * day - minute)
    await anonymous.revertEmail(links.revert).refused(400, 'invalid_link')
    await anonymous.revertEmail(inbox.linkToken(old))
  })

  it('works once, and for no later change', async ({ service, inbox, people, anonymous, ada, links }) => {
    await anonymous.revertEmail(links.revert)
    await anonymous.revertEmail(links.revert).refused(400, 'invalid_link')
    await anonymous.completePasswordReset({ token: await people.resetToken(old), new_password: otherPassword })
    const back = await people.signIn(old, otherPassword)
    await ask(service, inbox, back)
    await anonymous.revertEmail(links.revert).refused(400, 'invalid_link')
    expect((await back.me()).id).toBe(ada.id)
  })

  it('works with the first notice of several, and counts from there', async ({ service, inbox, anonymous, ada }) => {
    const first = await ask(service, inbox, ada, 'first@example.com')
    const second = await ask(service, inbox, ada, 'second@example.com')
    await ada.confirmEmail(second.confirm)
    await anonymous.revertEmail(first.revert)
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ email: old })
    await anonymous.revertEmail(second.revert).refused(400, 'invalid_link')
  })

  it('is not stopped by a new password, and works for a suspended account, which stays suspended', async ({
    anonymous,
    moderator,
    ada,
    links,
  }) => {
    await ada.changePassword({ old_password: goodPassword, new_password: otherPassword })
    await moderator.suspend(ada)
    await anonymous.revertEmail(links.revert)
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ status: 'suspended', password_hash: null })
  })

  it('ends after 72 hours, and the new mailbox has no such link', async ({ service, inbox, anonymous, ada, links }) => {
    await ada.confirmEmail(links.confirm)
    await service.deliver()
    expect(inbox.newest(address).text).not.toContain('#token')
    for (const token of [links.confirm, 'x']) await anonymous.revertEmail(token).refused(400, 'invalid_link')
    service.clock.advance(3 * day)
    await anonymous.revertEmail(links.revert).refused(400, 'invalid_link')
    await anonymous.revertEmail(inbox.linkToken(old)).refused(400, 'invalid_link')
  })

  it('writes nothing to the wanted mailbox when that belongs to another account', async ({
    service,
    inbox,
    anonymous,
    ada,
    eve,
  }) => {
    await ada.changeEmail(eve.email)
    await service.deliver()
    const before = inbox.all(eve).length
    await anonymous.revertEmail(inbox.linkToken(ada))
    await service.deliver()
    expect(inbox.all(eve)).toHaveLength(before)
    await eve.me()
  })
})

describe('a deletion of the account', () => {
  const leave = {
    'its owner': ({ ada }: { ada: Person }) => ada.deleteMe(),
    'an ADMIN': ({ ada, admin }: { ada: Person; admin: Person }) => admin.deleteUser(ada),
  }

  it.for(Object.keys(leave) as (keyof typeof leave)[])(
    'by %s is told to the old address too, while that could undo the change',
    async (by, { service, ada, admin, anonymous, links }) => {
      await ada.confirmEmail(links.confirm)
      service.clock.advance(9 * minute)
      const { effects } = await observe(service, () => leave[by]({ ada, admin }))
      expect(effects.mails.toSorted()).toEqual(
        [`${address}: ${subjects.accountDeleted}`, `${old}: ${subjects.accountDeleted}`].toSorted(),
      )
      const undone = await observe(service, () => anonymous.revertEmail(links.revert))
      expectProblem(undone.answer, 400, 'invalid_link')
      expect(undone.effects).toEqual(nothing)
      // Sent, so no row knows an address any more.
      expect(await rowsOf('emails', "user_id = ? and recipient <> ''", ada.id)).toEqual([])
    },
  )

  it('is told to the present address alone before a change, and once it cannot be undone', async ({
    service,
    clock,
    people,
    ada,
    eve,
    links,
  }) => {
    await ada.confirmEmail(links.confirm)
    clock.advance(3 * day)
    const back = await people.signIn(address)
    expect((await observe(service, () => back.deleteMe())).effects.mails).toEqual([
      `${address}: ${subjects.accountDeleted}`,
    ])
    const asking = await eve.signIn()
    await asking.changeEmail('eve.new@example.com')
    await service.deliver()
    expect((await observe(service, () => asking.deleteMe())).effects.mails).toEqual([
      `${eve.email}: ${subjects.accountDeleted}`,
    ])
  })
})

describe('the first ADMIN', () => {
  /** A service whose bootstrap address is another one, and which has no ADMIN. */
  const withBootstrap = (service: Service, BOOTSTRAP_ADMIN_EMAIL: string) =>
    peopleOf(startService({ beside: service, env: { BOOTSTRAP_ADMIN_EMAIL } }))

  async function undo(service: Service, inbox: Inbox, anonymous: Caller, revert: string) {
    await anonymous.revertEmail(revert)
    await service.deliver()
    const mail = inbox.all(old).find(({ subject }) => subject === subjects.passwordReset)!
    await anonymous.completePasswordReset({ token: linkTokenIn(mail), new_password: otherPassword })
  }

  it('can have an address that was changed and restored', async ({ service, inbox, anonymous, ada, links }) => {
    await ada.confirmEmail(links.confirm)
    await undo(service, inbox, anonymous, links.revert)
    const back = await withBootstrap(service, old).signIn(old, otherPassword)
    expect((await back.me()).role).toBe('ADMIN')
  })

  it('cannot have an address that a change gave, also when a later change was undone', async ({
    service,
    inbox,
    people,
    anonymous,
  }) => {
    const eve = await people.signUp('other@example.com')
    await eve.confirmEmail((await ask(service, inbox, eve, old)).confirm)
    service.clock.advance(4 * day)
    const moved = await people.signIn(old)
    const { confirm, revert } = await ask(service, inbox, moved)
    await moved.confirmEmail(confirm)
    await undo(service, inbox, anonymous, revert)
    const back = await withBootstrap(service, old).signIn(old, otherPassword)
    expect((await back.me()).role).toBe('USER')
  })
})

describe('the old address', () => {
  it('counts as taken until the change can no longer be undone', async ({
    service,
    clock,
    inbox,
    people,
    anonymous,
    ada,
    eve,
    links,
  }) => {
    await ada.confirmEmail(links.confirm)
    await anonymous.register({ email: old, password: goodPassword })
    await service.deliver()
    expect(inbox.subjects(old)[0]).toBe(subjects.accountExists)
    expect(await rowsOf('users', 'email = ?', old)).toEqual([])
    expect(await rowsOf('registrations')).toEqual([])
    await anonymous.resendActivation(old)
    await eve.changeEmail(old)
    await service.deliver()
    expect(inbox.subjects(old)[0]).toBe(subjects.emailChangeTaken)

    clock.advance(3 * day)
    await service.runCron('0 * * * *')
    await people.signUp(old)
  })

  it('is kept from somebody whose link to it is older', async ({ service, inbox, people, ada, eve }) => {
    const pending = await ask(service, inbox, eve, 'somebody@example.com')
    const mine = await ask(service, inbox, ada)
    await write(`update email_changes set new_email = '${old}' where user_id = ?`, eve.id)
    await ada.confirmEmail(mine.confirm)
    await eve.confirmEmail(pending.confirm).refused(400, 'invalid_link')
    await people.signIn(address)
  })
})

describe('a request or a change', () => {
  it('is forgotten when it can no longer be undone, and not before', async ({ service, clock, ada, links }) => {
    await ada.confirmEmail(links.confirm)
    clock.advance(3 * day - minute)
    await service.runCron('0 * * * *')
    expect(await changes()).toHaveLength(1)
    clock.advance(hour)
    await service.runCron('0 * * * *')
    expect(await changes()).toEqual([])
  })

  it.for([{ confirmed: false }, { confirmed: true }])(
    'goes with its account and every email about it (confirmed: $confirmed)',
    async ({ confirmed }, { service, ada, eve, links: _links }) => {
      await ada.changeEmail(eve.email)
      const spare = await rowsOf('emails', 'recipient = ? and user_id = ?', eve.email, eve.id)
      await service.deliver()
      if (confirmed) await write('update email_changes set applied_at = 1 where user_id = ?', ada.id)
      await ada.deleteMe()
      expect(await changes()).toEqual([])
      for (const each of [address, old]) {
        expect(await rowsOf('emails', "recipient = ? and template <> 'account_deleted'", each)).toEqual([])
      }
      expect(await rowsOf('emails', 'recipient = ? and user_id = ?', eve.email, eve.id)).toEqual(spare)
    },
  )
})
