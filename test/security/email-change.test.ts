/** A change of address against everything that may happen at the same moment, and the factors that undoing it ends. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import { day, hour, second } from '../support/clock.ts'
import { enrolApp, factorTokenIn, giveFactors } from '../support/factors.ts'
import { it } from '../support/fixtures.ts'
import { interrupt } from '../support/hooked-d1.ts'
import type { Inbox } from '../support/inbox.ts'
import { enrolPasskey } from '../support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { callers, countStatus } from '../support/race.ts'
import { insertAuditEvents, setFactorAttempts } from '../support/rows.ts'
import { type Answer, type Service } from '../support/service.ts'
import { rowOf, rowsOf } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'
import { eventOf, tell, webhookSecret } from '../support/webhooks.ts'

type Send = () => Promise<Answer>

/** Runs a race per round, each with addresses of its own. */
async function race(run: (name: (local: string) => string) => Promise<void>): Promise<void> {
  for (let round = 0; round < env.RACE_ROUNDS; round++) await run((local) => `${local}-${round}@example.com`)
}

/** Twenty callers, who take turns with these acts. Each starts one D1 query later than the one before, or all at once. */
async function collide(...acts: Send[]): Promise<Answer[][]> {
  const sent = acts.map(() => [] as Promise<Answer>[])
  for (let caller = 0; caller < callers; caller++) {
    const act = acts[caller % acts.length]!
    const later = async () => {
      for (let queries = 0; queries < caller / 4; queries++) await env.DB.prepare('select 1').run()
      return act()
    }
    sent[caller % acts.length]!.push(later())
  }
  return Promise.all(sent.map((each) => Promise.all(each)))
}

async function ask(service: Service, inbox: Inbox, person: Person, email: string) {
  await person.changeEmail(email)
  await service.deliver()
  return { confirm: inbox.linkToken(email), revert: inbox.linkToken(person) }
}

const emailOf = async (id: string) => (await rowOf('users', 'id = ?', id))['email']
const at = (email: string) => rowsOf('users', 'email = ?', email)

describe('at the same moment', () => {
  it('one of two users gets an address', async ({ service, inbox, people }) => {
    await race(async (name) => {
      const [ada, eve] = [await people.signUp(name('ada')), await people.signUp(name('eve'))]
      const wanted = name('wanted')
      const mine = await ask(service, inbox, ada, wanted)
      const theirs = await ask(service, inbox, eve, wanted)
      const answers = await collide(
        () => ada.confirmEmail(mine.confirm).answer,
        () => eve.confirmEmail(theirs.confirm).answer,
      )
      expect(countStatus(answers.flat(), 200)).toBe(1)
      expect(countStatus(answers.flat(), 400)).toBe(callers - 1)
      expect(await at(wanted)).toHaveLength(1)
      const isAda = countStatus(answers[0]!, 200) === 1
      expect(await emailOf(ada.id)).toBe(isAda ? wanted : ada.email)
      expect(await emailOf(eve.id)).toBe(isAda ? eve.email : wanted)
    })
  })

  it('a link changes the address once', async ({ service, inbox, people }) => {
    await race(async (name) => {
      const ada = await people.signUp(name('ada'))
      const { confirm } = await ask(service, inbox, ada, name('new'))
      const [answers] = await collide(() => ada.confirmEmail(confirm).answer)
      expect([countStatus(answers!, 200), countStatus(answers!, 400)]).toEqual([1, callers - 1])
      expect(await rowsOf('emails', "template = 'email_changed' and user_id = ?", ada.id)).toHaveLength(2)
    })
  })

  it('the owner of the old address wins against the change', async ({ service, inbox, people, anonymous }) => {
    await race(async (name) => {
      const ada = await people.signUp(name('ada'))
      const { confirm, revert } = await ask(service, inbox, ada, name('new'))
      const [changed, undone] = await collide(
        () => ada.confirmEmail(confirm).answer,
        () => anonymous.revertEmail(revert).answer,
      )
      expect(countStatus(undone!, 204)).toBe(1)
      expect(countStatus(changed!, 200)).toBeLessThanOrEqual(1)
      expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ email: ada.email, password_hash: null })
      for (const table of ['sessions', 'email_changes', 'one_time_links']) {
        expect(await rowsOf(table, 'user_id = ?', ada.id), table).toEqual([])
      }
    })
  })

  it('a deletion leaves nothing of a change', async ({ service, inbox, people }) => {
    await race(async (name) => {
      const ada = await people.signUp(name('ada'))
      const { confirm } = await ask(service, inbox, ada, name('new'))
      const [changed] = await collide(
        () => ada.confirmEmail(confirm).answer,
        () => ada.changeEmail(name('third')).answer,
        () => ada.deleteMe().answer,
      )
      for (const table of ['users', 'email_changes', 'one_time_links', 'sessions']) {
        expect(await rowsOf(table, `${table === 'users' ? 'id' : 'user_id'} = ?`, ada.id), table).toEqual([])
      }
      const farewells = await rowsOf('emails', 'user_id = ?', ada.id)
      expect(new Set(farewells.map(({ template }) => template))).toEqual(new Set(['account_deleted']))
      const recipients = farewells.map(({ recipient }) => String(recipient))
      expect(new Set(recipients)).toEqual(
        new Set(countStatus(changed!, 200) > 0 ? [ada.email, name('new')] : [ada.email]),
      )
    })
  })

  it('either the change or the activation of the new address wins', async ({ service, inbox, people, anonymous }) => {
    await race(async (name) => {
      const [ada, wanted] = [await people.signUp(name('ada')), name('wanted')]
      const { confirm } = await ask(service, inbox, ada, wanted)
      const { id, link: token } = await people.pending(wanted)
      const [changed, activated] = await collide(
        () => ada.confirmEmail(confirm).answer,
        () => anonymous.activate({ token, password: goodPassword }).answer,
      )
      expect(countStatus(changed!, 200) + countStatus(activated!, 200)).toBe(1)
      const isChanged = countStatus(changed!, 200) === 1
      expect(await at(wanted)).toMatchObject([{ id: isChanged ? ada.id : id, status: 'active' }])
      expect(await rowsOf('registrations', 'email = ?', wanted)).toEqual([])
      expect(await emailOf(ada.id)).toBe(isChanged ? wanted : ada.email)
    })
  })

  it('registrations of the new address leave no second account, and no link that opens this one', async ({
    service,
    inbox,
    people,
    anonymous,
  }) => {
    await race(async (name) => {
      const [ada, wanted] = [await people.signUp(name('ada')), name('wanted')]
      const { confirm } = await ask(service, inbox, ada, wanted)
      const [changed] = await collide(
        () => ada.confirmEmail(confirm).answer,
        () => anonymous.register({ email: wanted, password: otherPassword }).answer,
      )
      expect(countStatus(changed!, 200)).toBe(1)
      expect(await at(wanted)).toMatchObject([{ id: ada.id }])
      await service.deliver()
      expect(await rowsOf('registrations', 'email = ?', wanted)).toEqual([])
      expect(await rowsOf('one_time_links', 'user_id = ?', ada.id)).toEqual([])
    })
  })

  it('either the change or a new password wins', async ({ service, inbox, people }) => {
    await race(async (name) => {
      const ada = await people.signUp(name('ada'))
      const { confirm } = await ask(service, inbox, ada, name('new'))
      const passwords = { old_password: goodPassword, new_password: otherPassword }
      const [changed] = await collide(
        () => ada.confirmEmail(confirm).answer,
        () => ada.changePassword(passwords).answer,
      )
      expect(await emailOf(ada.id)).toBe(countStatus(changed!, 200) === 1 ? name('new') : ada.email)
      const [change] = await rowsOf('email_changes', 'user_id = ?', ada.id)
      expect(change!['applied_at'] === null).toBe(countStatus(changed!, 200) === 0)
    })
  })

  it('a request against the change leaves one of them', async ({ service, inbox, people }) => {
    await race(async (name) => {
      const ada = await people.signUp(name('ada'))
      const { confirm } = await ask(service, inbox, ada, name('new'))
      const [changed, asked] = await collide(
        () => ada.confirmEmail(confirm).answer,
        () => ada.changeEmail(name('third')).answer,
      )
      const isChanged = countStatus(changed!, 200) === 1
      if (isChanged) expect(countStatus(asked!, 202)).toBe(0)
      const [change] = await rowsOf('email_changes', 'user_id = ?', ada.id)
      expect(change).toMatchObject({ new_email: isChanged ? name('new') : name('third'), old_email: ada.email })
    })
  })

  it('twenty requests send five notices, and one link counts', async ({ service, inbox, people }) => {
    await race(async (name) => {
      const ada = await people.signUp(name('ada'))
      let next = 0
      const [answers] = await collide(() => ada.changeEmail(name(`new-${next++}`)).answer)
      expect(countStatus(answers!, 202)).toBe(mailBudget.perHour)
      expect(countStatus(answers!, 429)).toBe(callers - mailBudget.perHour)
      await service.deliver()
      const sent = Array.from({ length: callers }, (_, index) => inbox.all(name(`new-${index}`))).flat()
      expect(sent).toHaveLength(1)
    })
  })

  it('an account is exported once', async ({ people }) => {
    await race(async (name) => {
      const ada = await people.signUp(name('ada'))
      const [answers] = await collide(() => ada.exportMe().answer)
      expect([countStatus(answers!, 200), countStatus(answers!, 429)]).toEqual([1, callers - 1])
      expect(await rowsOf('emails', "template = 'export_made' and user_id = ?", ada.id)).toHaveLength(1)
    })
  })
})

describe('the end of a change', () => {
  const codesOf = ({ id }: Person) => rowsOf('recovery_codes', 'user_id = ?', id)
  const factorsIdOf = async ({ id }: Person) => (await rowOf('users', 'id = ?', id))['factors_id']

  /** Asks in a session that has shown a factor. */
  async function askWithFactor(service: Service, inbox: Inbox, person: Person) {
    await proveIn(person, strengths.code)
    return ask(service, inbox, person, 'ada.new@example.com')
  }

  it('takes the factors of the day before the request, and leaves older ones, which are still asked for', async ({
    service,
    inbox,
    clock,
    people,
    anonymous,
    ada,
  }) => {
    await giveFactors(ada.id, clock)
    clock.advance(day + hour)
    const back = await ada.renewed()
    await proveIn(back, strengths.code)
    await enrolPasskey(back)
    // Within one millisecond, chance decides which of the two came first.
    clock.advance(second)
    const { revert } = await askWithFactor(service, inbox, back)
    const before = await factorsIdOf(ada)
    await anonymous.revertEmail(revert)
    expect(await rowsOf('passkeys')).toEqual([])
    expect(await rowsOf('totps')).toHaveLength(1)
    expect(await codesOf(ada)).toHaveLength(8)
    expect([before, null]).not.toContain(await factorsIdOf(ada))
    const token = await people.resetToken(ada.email)
    await anonymous.completePasswordReset({ token, new_password: otherPassword })
    await anonymous.login({ email: ada.email, password: otherPassword }).refused(403, 'second_factor_required')
  })

  it('takes codes that were made since, because whoever made them has them', async ({
    service,
    inbox,
    clock,
    anonymous,
    ada,
  }) => {
    await giveFactors(ada.id, clock)
    clock.advance(2 * day)
    await insertAuditEvents([
      { id: uuidv7(clock.now()), type: 'user.recovery_codes_renewed', userId: ada.id, actorId: ada.id },
    ])
    const back = await ada.renewed()
    const { revert } = await askWithFactor(service, inbox, back)
    await anonymous.revertEmail(revert)
    expect(await rowsOf('totps')).toHaveLength(1)
    expect(await codesOf(ada)).toEqual([])
  })

  it('leaves the owner no budget of wrong codes to wait for', async ({
    service,
    inbox,
    clock,
    people,
    anonymous,
    ada,
  }) => {
    const { app } = await giveFactors(ada.id, clock)
    clock.advance(2 * day)
    const back = await ada.renewed()
    const { revert } = await askWithFactor(service, inbox, back)
    await back.renewRecoveryCodes()
    await setFactorAttempts(ada.id, 100)
    await anonymous.revertEmail(revert)
    const token = await people.resetToken(ada.email)
    await anonymous.completePasswordReset({ token, new_password: otherPassword })
    const login = { email: ada.email, password: otherPassword }
    const asked = await anonymous.login(login).refused(403, 'second_factor_required')
    await anonymous.secondFactor({ factor_token: factorTokenIn(asked), totp: app.code() })
  })

  it('leaves an account without factors when all are new, and no codes', async ({
    service,
    inbox,
    clock,
    anonymous,
    ada,
  }) => {
    await giveFactors(ada.id, clock)
    const { revert } = await askWithFactor(service, inbox, ada)
    await anonymous.revertEmail(revert)
    expect([await rowsOf('totps'), await codesOf(ada), await factorsIdOf(ada)]).toEqual([[], [], null])
  })

  it.for([
    { end: 'ran out', isApplied: false },
    { end: 'became a change, and can no longer be undone', isApplied: true },
  ])('counts anew after a request that $end', async ({ isApplied }, { service, inbox, clock, anonymous, ada }) => {
    const first = await ask(service, inbox, ada, 'first@example.com')
    if (isApplied) await ada.confirmEmail(first.confirm)
    clock.advance(2 * hour)
    await giveFactors(ada.id, clock)
    clock.advance(3 * day)
    const { revert } = await askWithFactor(service, inbox, await ada.renewed())
    await anonymous.revertEmail(revert)
    expect(await rowsOf('totps')).toHaveLength(1)
    expect(await codesOf(ada)).toHaveLength(8)
  })

  it('counts from the first of several requests, so that nobody can ask until it is too late', async ({
    service,
    inbox,
    clock,
    anonymous,
    ada,
  }) => {
    await giveFactors(ada.id, clock)
    await askWithFactor(service, inbox, ada)
    clock.advance(2 * day)
    const back = await ada.renewed()
    const { revert } = await askWithFactor(service, inbox, back)
    await anonymous.revertEmail(revert)
    expect(await rowsOf('totps')).toEqual([])
  })

  it('touches nobody else', async ({ service, inbox, clock, anonymous, ada, eve }) => {
    await giveFactors(eve.id, clock)
    const { revert } = await ask(service, inbox, ada, 'ada.new@example.com')
    await anonymous.revertEmail(revert)
    expect(await rowsOf('totps')).toHaveLength(1)
    expect(await codesOf(eve)).toHaveLength(8)
    await eve.me()
  })
})

describe('a request for another address', () => {
  it('is void with another factor, also when that is gone again', async ({ service, inbox, clock, ada }) => {
    const { confirm } = await ask(service, inbox, ada, 'ada.new@example.com')
    clock.advance(second)
    await enrolApp(ada)
    await ada.confirmEmail(confirm).refused(400, 'invalid_link')
    await ada.call('removeTotp')
    expect(await rowOf('users', 'id = ?', ada.id)).toMatchObject({ factors_id: null })
    await ada.confirmEmail(confirm).refused(400, 'invalid_link')
  })
})

describe('an email to a wanted address that bounces', () => {
  const receiving = it.extend('options', async () => ({ env: { RESEND_WEBHOOK_SECRET: webhookSecret } }))

  receiving(
    'tells the trail of the account that gets no more emails, and not who asked',
    async ({ service, inbox, ada, eve }) => {
      for (const address of [eve.email, 'nobody@example.com']) {
        await ada.changeEmail(address)
        await service.deliver()
        await tell(service, eventOf('bounced', inbox.newest(address)))
      }
      const events = await rowsOf('audit_events', "type = 'email.undeliverable'")
      expect(new Set(events.map(({ user_id }) => user_id))).toEqual(new Set([eve.id, null]))
      expect(events).toHaveLength(2)
      const { text } = await ada.activity().answer
      expect(text).not.toContain('undeliverable')
    },
  )
})

describe('a link for a new password, on its way while the address changes', () => {
  /** Delivers what waits, and does something when the account was looked up and the link is not stored yet. */
  async function deliverLate(service: Service, ask: (late: Service) => Promise<unknown>, meanwhile: Send) {
    const { late, expectInterrupted } = interrupt(service, /^insert into "one_time_links"/, async () => {
      expect((await meanwhile()).status).toBeLessThan(300)
    })
    await ask(late)
    await late.deliver()
    expectInterrupted()
  }

  it('is not made for the old address after the change', async ({ service, inbox, anonymous, ada }) => {
    const { confirm } = await ask(service, inbox, ada, 'new@example.com')
    await deliverLate(
      service,
      (late) => anonymous.at(late).requestPasswordReset({ email: ada.email }).answer,
      () => ada.confirmEmail(confirm).answer,
    )
    expect(await rowsOf('one_time_links', 'user_id = ?', ada.id)).toEqual([])
  })

  it('is not made for the new address after the change was undone', async ({ service, inbox, anonymous, ada }) => {
    const { confirm, revert } = await ask(service, inbox, ada, 'new@example.com')
    await ada.confirmEmail(confirm)
    await service.deliver()
    await deliverLate(
      service,
      (late) => anonymous.at(late).requestPasswordReset({ email: 'new@example.com' }).answer,
      () => anonymous.revertEmail(revert).answer,
    )
    expect(await rowsOf('one_time_links', 'user_id = ?', ada.id)).toEqual([])
  })
})
