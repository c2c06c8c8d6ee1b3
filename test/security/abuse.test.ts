/** Budgets for guesses and for emails: exact, the same for every address, and useless against the owner of an account. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import type { Caller } from '../support/caller.ts'
import { type Clock, day, hour, minute, second } from '../support/clock.ts'
import { it as base } from '../support/fixtures.ts'
import { subjects } from '../support/mails.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import { setAttempts } from '../support/rows.ts'
import { type Answer, startService } from '../support/service.ts'
import { rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'
const nobody = 'nobody@example.com'
const bob = 'bob@example.com'
const rounds = 10
const wrongPassword = 'a wrong password'
const wrong = { email, password: wrongPassword }
const right = { email, password: goodPassword }
const change = { old_password: goodPassword, new_password: otherPassword }

const it = base
  /** Wrong passwords until so many more were compared, each as soon as it is allowed. */
  .extend('guess', async ({ anonymous, clock }) => async (count: number, address = email): Promise<void> => {
    for (let index = 0; index < count;) {
      const answer = await anonymous.login({ email: address, password: wrongPassword }).answer
      if (answer.status === 429) clock.advance(Number(answer.headers.get('Retry-After')) * second)
      else index++
    }
  })
  .extend('completeReset', async ({ people, anonymous }) => async () => {
    const token = await people.resetToken(email)
    return anonymous.completePasswordReset({ token, new_password: otherPassword })
  })

async function counterKeys(): Promise<string[]> {
  const { results } = await env.DB.prepare('select key from attempt_counters order by key').all<{ key: string }>()
  return results.map(({ key }) => key)
}

/** Signs in, on the device of a token if one is given, and gives the token of the device. */
async function deviceOf(person: Caller, credentials: { email: string; password: string; device_token?: string }) {
  return (await person.login(credentials)).device_token
}

describe('wrong passwords', () => {
  it('wait 1 second after five in a row, then twice as long each time, up to 15 minutes', async ({
    anonymous,
    clock,
    ada,
  }) => {
    expect(ada.email).toBe(email)
    for (let index = 0; index < 5; index++) await anonymous.login(wrong).refused(401, 'invalid_credentials')
    const waits: number[] = []
    for (let index = 0; index < 13; index++) {
      const refused = await anonymous.login(right).answer
      expect(refused.json).toMatchObject({ code: 'rate_limited' })
      const seconds = Number(refused.headers.get('Retry-After'))
      waits.push(seconds)
      clock.advance(seconds * second - 1)
      expect((await anonymous.login(right).answer).status, 'a moment too early').toBe(429)
      clock.advance(1)
      await anonymous.login(wrong).refused(401, 'invalid_credentials')
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
  })

  it('are compared only five times when fifty come at once', async ({ people, anonymous }) => {
    for (let round = 0; round < rounds; round++) {
      const racer = await people.signUp(`racer-${round}@example.com`)
      const tries = Array.from({ length: 50 }, () => anonymous.login({ ...wrong, email: racer.email }).answer)
      const statuses = (await Promise.all(tries)).map(({ status }) => status)
      expect(statuses.filter((status) => status === 401)).toHaveLength(5)
      expect(statuses.filter((status) => status === 429)).toHaveLength(45)
    }
  })

  it('are counted the same for an address without an account', async ({ anonymous, ada }) => {
    const patterns: string[][] = []
    for (const address of [ada.email, nobody]) {
      const pattern: string[] = []
      for (let index = 0; index < 8; index++) {
        const { status, headers, json } = await anonymous.login({ ...wrong, email: address }).answer
        pattern.push(`${status} ${headers.get('Retry-After')} ${'code' in json && json.code}`)
      }
      patterns.push(pattern)
    }
    expect(patterns[0]).toEqual(patterns[1])
  })

  it('are counted from zero again after the right one', async ({ ada, guess }) => {
    await guess(4)
    await ada.signIn()
    await guess(4)
    await ada.signIn()
  })

  it('wait 15 minutes each, however many came before', async ({ anonymous, ada, guess }) => {
    const log = captureLog()
    await guess(1, ada.email)
    // From 64 on a shift by as many places would be zero again.
    for (const count of [33, 64, 69, 98]) {
      await setAttempts(ada.email, count)
      await anonymous.login(wrong).refused(401, 'invalid_credentials')
      const refused = await anonymous.login(right).answer
      expect([refused.status, refused.headers.get('Retry-After')], `after ${count + 1}`).toEqual([429, '900'])
    }
    const refusal = { level: 'warn', route: '/auth/login', reason: 'password_attempts', seconds: 900 }
    expect(log.entries('lock_out.refused')).toMatchObject(Array.from({ length: 4 }, () => refusal))
    expect(log.entries('rate_limit.exceeded')).toEqual([])
  })

  it('end password sign-in after 100 in a row, until a reset by email', async ({
    service,
    clock,
    anonymous,
    ada,
    guess,
    completeReset,
  }) => {
    await guess(6, ada.email)
    await setAttempts(ada.email, 99)
    await anonymous.login(wrong).refused(401, 'invalid_credentials')
    clock.advance(399 * day)
    await service.runCron('0 * * * *')
    const refused = await anonymous.login(right).answer
    expect(refused.json).toMatchObject({ code: 'rate_limited' })
    expect(refused.headers.get('Retry-After')).toBe('3600')

    await completeReset()
    await ada.signIn({ password: otherPassword })
  })

  it('are counted together at sign-in, password change, deletion and activation', async ({
    people,
    clock,
    anonymous,
    ada,
    guess,
  }) => {
    const wrongChange = { ...change, old_password: wrongPassword }
    await ada.changePassword(wrongChange).refused(403, 'wrong_password')
    await ada.changePassword(wrongChange).refused(403, 'wrong_password')
    await ada.deleteMe(wrongPassword).refused(403, 'wrong_password')
    await anonymous.login(wrong).refused(401, 'invalid_credentials')
    await anonymous.login(wrong).refused(401, 'invalid_credentials')
    await ada.changePassword(change).refused(429, 'rate_limited')
    const deletion = await ada.deleteMe().answer
    expect(deletion.json).toMatchObject({ code: 'rate_limited' })
    expect(deletion.headers.get('Retry-After')).toBe('1')

    const token = await people.register(bob)
    await guess(5, bob)
    await anonymous.activate({ token, password: goodPassword }).refused(429, 'rate_limited')
    clock.advance(second)
    await anonymous.activate({ token, password: goodPassword })
  })

  it('stay counted after the right password of another registration of the address', async ({
    people,
    clock,
    anonymous,
  }) => {
    const token = await people.register(email)
    // A stranger who has the link registers the address once more, to have a password that counts as right.
    clock.advance(second)
    await anonymous.register({ email, password: otherPassword })
    const statuses: number[] = []
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 4; index++) {
        statuses.push((await anonymous.activate({ token, password: wrongPassword }).answer).status)
      }
      const { json } = await anonymous.login({ email, password: otherPassword }).answer
      expect(json).toMatchObject({ code: expect.stringMatching(/^(account_pending|rate_limited)$/) })
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(5)
    expect(statuses.filter((status) => status === 429)).toHaveLength(12 - 5)
  })

  it('do not include the right password of a pending account', async ({ people, anonymous, guess }) => {
    const token = await people.register(email)
    for (let index = 0; index < 8; index++) await anonymous.login(right).refused(403, 'account_pending')
    await guess(3)
    await anonymous.login(right).refused(403, 'account_pending')
    expect(await env.DB.prepare('select count from attempt_counters').first('count')).toBe(3)
    await anonymous.activate({ token, password: goodPassword })
  })

  it('do not include the right old password of a change to a weak one', async ({ ada }) => {
    const weak = { ...change, new_password: 'password1' }
    for (let index = 0; index < 8; index++) await ada.changePassword(weak).refused(422, 'weak_password')
  })

  it('do not include requests that are refused for their form or their token', async ({ ada }) => {
    for (let index = 0; index < 8; index++) {
      await ada.call('changePassword', { body: {} }).refused(422, 'validation_failed')
    }
    await ada.logout()
    for (let index = 0; index < 8; index++) await ada.changePassword(change).refused(401, 'invalid_token')
    await ada.signIn()
  })

  it('are reported to the owner after 10 and 100 in a row, and to nobody without an account', async ({
    service,
    inbox,
    ada,
    guess,
  }) => {
    const before = inbox.all(ada).length
    await guess(9)
    await service.deliver()
    expect(inbox.all(ada)).toHaveLength(before)
    await guess(3)
    await service.deliver()
    expect(inbox.all(ada)).toHaveLength(before + 1)
    expect(inbox.newest(ada).text).toContain('/reset-password')
    await setAttempts(email, 99)
    await guess(1)
    await service.deliver()
    expect(inbox.all(ada)).toHaveLength(before + 2)
    await guess(11, nobody)
    await service.deliver()
    expect(inbox.all(nobody)).toHaveLength(0)
  })

  it('are reported to the owner once, wherever they were tried', async ({ service, inbox, ada }) => {
    const tryToChange = () =>
      ada.changePassword({ ...change, old_password: wrongPassword }).refused(403, 'wrong_password')
    const tryToDelete = () => ada.deleteMe(wrongPassword).refused(403, 'wrong_password')
    for (const { count, act } of [
      { count: 9, act: tryToChange },
      { count: 99, act: tryToDelete },
    ]) {
      await setAttempts(email, count)
      const before = inbox.all(ada).length
      await act()
      await service.deliver()
      expect(inbox.all(ada)).toHaveLength(before + 1)
      expect(inbox.newest(ada).text).toContain('/reset-password')
    }
    await setAttempts(email, 10)
    const before = inbox.all(ada).length
    await tryToChange()
    await service.deliver()
    expect(inbox.all(ada)).toHaveLength(before)
  })

  it('are reported only as often as the budget of that kind of email allows', async ({ anonymous, ada, guess }) => {
    await guess(1, ada.email)
    for (let series = 0; series < 8; series++) {
      await setAttempts(ada.email, 9)
      await anonymous.login(wrong).refused(401, 'invalid_credentials')
    }
    expect(await rowsOf('emails', "template = 'sign_in_attempts'")).toHaveLength(mailBudget.perHour)
  })

  it.for([
    { status: 'pending', code: 'account_pending' },
    { status: 'suspended', code: 'account_suspended' },
  ] as const)(
    'are not ten with the right one, of an account that is $status',
    async ({ status, code }, { people, anonymous, admin }) => {
      const { id } = status === 'pending' ? await people.pending(bob) : await people.signUp(bob)
      if (status === 'suspended') await admin.suspend(id)
      await anonymous.login({ email: bob, password: wrongPassword }).refused(401, 'invalid_credentials')
      await setAttempts(bob, 9)
      await anonymous.login({ email: bob, password: goodPassword }).refused(403, code)
      expect(await rowsOf('emails', "template = 'sign_in_attempts'")).toEqual([])
    },
  )

  it('put nothing in the queue below the tenth', async ({ service, ada, guess }) => {
    service.queued.length = 0
    await guess(9, ada.email)
    expect(service.queued).toEqual([])
  })

  it('are forgotten after 30 days without a further one', async ({ service, clock, guess }) => {
    await guess(5, nobody)
    clock.advance(30 * day - minute)
    await service.runCron('0 * * * *')
    expect(await counterKeys()).toHaveLength(1)
    clock.advance(2 * minute)
    await service.runCron('0 * * * *')
    expect(await counterKeys()).toHaveLength(0)
  })

  it('are remembered for 400 days, longer than any link or session, once password sign-in is off', async ({
    service,
    clock,
    guess,
  }) => {
    await setAttempts(nobody, 99)
    await guess(1, nobody)
    clock.advance(400 * day - minute)
    await service.runCron('0 * * * *')
    expect(await counterKeys()).toHaveLength(1)
    clock.advance(2 * minute)
    await service.runCron('0 * * * *')
    expect(await counterKeys()).toHaveLength(0)
  })
})

interface Actors {
  ada: Person
  people: People
  anonymous: Caller
  clock: Clock
}

describe('a known device', () => {
  it('signs in to an account that a stranger has locked, and leaves it locked for the stranger', async ({
    anonymous,
    ada,
    guess,
  }) => {
    const device = await deviceOf(ada, right)
    await guess(6)
    await setAttempts(email, 100)
    await anonymous.login(right).refused(429, 'rate_limited')
    await anonymous.login({ ...right, device_token: device })
    await anonymous.login(right).refused(429, 'rate_limited')
  })

  it('has a budget of its own, which a reset restores', async ({ anonymous, ada, completeReset }) => {
    const device = { device_token: await deviceOf(ada, right) }
    for (let index = 0; index < 5; index++) {
      await anonymous.login({ ...wrong, ...device }).refused(401, 'invalid_credentials')
    }
    await anonymous.login({ ...right, ...device }).refused(429, 'rate_limited')
    await anonymous.login(right)
    await completeReset()
    await anonymous.login({ email, password: otherPassword, ...device })
  })

  it.for([
    {
      ending: 'a reset',
      end: async ({ people, anonymous }: Actors) => {
        const token = await people.resetToken(email)
        await anonymous.completePasswordReset({ token, new_password: otherPassword })
      },
    },
    {
      ending: 'a change',
      end: async ({ ada }: Actors) => {
        await (await ada.signIn()).changePassword(change)
      },
    },
    {
      ending: 'deletion and another registration',
      end: async ({ ada, people, anonymous }: Actors) => {
        await (await ada.signIn()).deleteMe()
        const token = await people.register(email, otherPassword)
        await anonymous.activate({ token, password: otherPassword })
      },
    },
  ])(
    'is unknown after $ending until its next sign-in, for passwords and for reset emails',
    async ({ end }, { people, anonymous, clock, ada }) => {
      const devices: string[] = []
      for (let index = 0; index < 3; index++) devices.push(await deviceOf(ada, right))
      await end({ ada, people, anonymous, clock })
      const statuses: number[] = []
      for (const device of devices) {
        for (let index = 0; index < 4; index++) {
          statuses.push((await anonymous.login({ ...wrong, device_token: device }).answer).status)
          await anonymous.requestPasswordReset({ email, device_token: device })
        }
      }
      expect(statuses.filter((status) => status === 401)).toHaveLength(5)
      expect(await rowsOf('emails', "budget like 'password_reset%'")).toHaveLength(mailBudget.perHour)
      clock.advance(hour)
      const credentials = { email, password: otherPassword }
      const device = await deviceOf(anonymous, { ...credentials, device_token: devices[0]! })
      await setAttempts(email, 100)
      await anonymous.login({ ...credentials, device_token: device })
    },
  )

  it('stays known when its password is only rehashed', async ({ service, anonymous, ada, guess }) => {
    const device = await deviceOf(ada, right)
    const stronger = startService({ beside: service, platform: { work: { rounds: 2, iterations: 1000 } } })
    const hash = () => env.DB.prepare('select hex(password_hash) as hash from users').first('hash')
    const before = await hash()
    await anonymous.at(stronger).login(right)
    expect(await hash()).not.toBe(before)
    await guess(6)
    await setAttempts(email, 100)
    await anonymous.login({ ...right, device_token: device })
  })

  it('shares one budget of reset emails with all other known devices', async ({ anonymous, ada }) => {
    for (let index = 0; index < 8; index++) {
      await anonymous.requestPasswordReset({ email, device_token: await deviceOf(ada, right) })
    }
    expect(await rowsOf('emails', "template = 'password_reset'")).toHaveLength(mailBudget.perHour)
  })

  it('keeps one budget for the device tokens of all its sign-ins', async ({ anonymous, ada }) => {
    const first = await deviceOf(ada, right)
    const second = await deviceOf(ada, { ...right, device_token: first })
    for (const device of [first, second, first, second, first]) {
      await anonymous.login({ ...wrong, device_token: device }).refused(401, 'invalid_credentials')
    }
    await anonymous.login({ ...right, device_token: second }).refused(429, 'rate_limited')
  })

  it('is unknown for another address, after 180 days and with a token of another kind', async ({
    people,
    clock,
    anonymous,
    ada,
    guess,
  }) => {
    const stranger = await people.signUp(bob)
    const device = { device_token: await deviceOf(ada, right) }
    await guess(5)
    const deviceOfBob = await deviceOf(stranger, { email: bob, password: goodPassword })
    for (const token of [deviceOfBob, ada.refreshToken, ada.accessToken, 'x', '', 7]) {
      const answer = await anonymous.call('login', { body: { ...right, device_token: token } }).answer
      expect([422, 429]).toContain(answer.status)
    }
    await setAttempts(email, 100)
    clock.advance(180 * day - second)
    await anonymous.login({ ...wrong, ...device }).refused(401, 'invalid_credentials')
    clock.advance(second)
    await anonymous.login({ ...right, ...device }).refused(429, 'rate_limited')
  })

  it('cannot call, refresh or sign in with its token instead of a credential', async ({ anonymous, ada }) => {
    const device = await deviceOf(ada, right)
    await anonymous.from({ token: device }).me().refused(401, 'invalid_token')
    await anonymous.refresh(device).refused(401, 'invalid_refresh_token')
    await anonymous.login({ ...wrong, device_token: device }).refused(401, 'invalid_credentials')
  })
})

describe('emails to one address', () => {
  const limits = `${mailBudget.perHour} an hour and ${mailBudget.perDay} a day`

  it.for<{ request: string; ask: (anonymous: Caller) => Promise<Answer> }>([
    { request: 'registrations', ask: (anonymous) => anonymous.register(right).answer },
    { request: 'resend requests', ask: (anonymous) => anonymous.resendActivation(email).answer },
    { request: 'reset requests', ask: (anonymous) => anonymous.requestPasswordReset({ email }).answer },
  ])(
    `are at most ${limits} for $request, which are all answered alike`,
    async ({ ask }, { service, people, clock, inbox, anonymous }) => {
      await people.register(email)
      clock.advance(2 * day)
      const before = inbox.all(email).length
      const texts = new Set<string>()
      const perHour: number[] = []
      for (let turn = 0; turn < 6; turn++) {
        const answers = await Promise.all(Array.from({ length: 20 }, () => ask(anonymous)))
        for (const { status, text } of answers) texts.add(`${status} ${text}`)
        await service.deliver()
        perHour.push(inbox.all(email).length - before)
        clock.advance(hour + second)
      }
      expect(texts.size).toBe(1)
      expect(perHour).toEqual([5, 10, 15, 20, 20, 20])
      clock.advance(day)
      await ask(anonymous)
      await service.deliver()
      expect(inbox.all(email)).toHaveLength(before + 21)
    },
  )

  it('are sent again once the first of an hour or a day is older than that, and not before', async ({
    service,
    clock,
    inbox,
    anonymous,
    ada,
  }) => {
    clock.advance(day)
    const before = inbox.all(ada).length
    const start = clock.now().getTime()
    /** How many emails there are after one more request, so long after the first. */
    const askedAfter = async (ms: number) => {
      clock.advance(start + ms - clock.now().getTime())
      await anonymous.requestPasswordReset({ email })
      await service.deliver()
      return inbox.all(ada).length - before
    }
    const five = async (ms: number) => {
      for (let request = 1; request <= 5; request++) await askedAfter(ms)
    }
    await five(0)
    expect(await askedAfter(hour - second)).toBe(5)
    expect(await askedAfter(hour + 1)).toBe(6)
    await five(3 * hour)
    await five(6 * hour)
    await five(9 * hour)
    expect(await askedAfter(day - second)).toBe(20)
    expect(await askedAfter(day + 1)).toBe(21)
  })

  it.for<{ event: string; subject: string; cause: (actors: Actors) => Promise<Answer> }>([
    {
      event: 'a changed password',
      subject: subjects.passwordChanged,
      cause: async ({ ada }) => {
        const session = await ada.signIn()
        return session.changePassword({ old_password: goodPassword, new_password: goodPassword }).answer
      },
    },
    {
      event: 'a completed reset',
      subject: subjects.passwordChanged,
      cause: async ({ people, anonymous }) => {
        // Links have a budget of their own, which must not end the resets first.
        await write("update emails set budget = 'none' where template = 'password_reset'")
        const token = await people.resetToken(email)
        return anonymous.completePasswordReset({ token, new_password: goodPassword }).answer
      },
    },
    {
      event: 'a stolen session',
      subject: subjects.sessionReuse,
      cause: async ({ ada, clock }) => {
        const session = await ada.signIn()
        await session.refresh()
        clock.advance(31 * second)
        return session.refresh().answer
      },
    },
  ])(
    'about $event are at most five an hour, and the event happens all the same',
    async ({ subject, cause }, { service, people, clock, inbox, anonymous, ada }) => {
      const causeEvent = () => cause({ ada, people, anonymous, clock })
      const notices = async () => {
        await service.deliver()
        return inbox.subjects(ada).filter((each) => each === subject).length
      }
      const statuses = new Set<number>()
      for (let time = 1; time <= 8; time++) statuses.add((await causeEvent()).status)
      expect([[204], [401]]).toContainEqual([...statuses])
      expect(await notices()).toBe(5)
      const events = await rowsOf(
        'audit_events',
        "type in ('user.password_changed', 'user.password_reset', 'session.reuse_detected')",
      )
      expect(events).toHaveLength(8)
      clock.advance(hour + 1)
      await causeEvent()
      expect(await notices()).toBe(6)
    },
  )

  it(`with activation links are at most ${limits}, for any mixture of requests`, async ({
    service,
    people,
    clock,
    inbox,
    anonymous,
  }) => {
    await people.register(email)
    clock.advance(2 * day)
    const before = inbox.all(email).length
    const perHour: number[] = []
    for (let turn = 0; turn < 6; turn++) {
      const asking = Array.from({ length: 20 }, async (_, index) => {
        await ((index + turn) % 3 === 0 ? anonymous.register(right) : anonymous.resendActivation(email))
      })
      await Promise.all(asking)
      await service.deliver()
      perHour.push(inbox.all(email).length - before)
      clock.advance(hour + second)
    }
    expect(perHour).toEqual([5, 10, 15, 20, 20, 20])
    expect(new Set(inbox.subjects(email))).toEqual(new Set([subjects.activation]))
  })

  it('leave links good and no further registration stored once their budget is used up', async ({
    service,
    people,
    anonymous,
  }) => {
    const token = await people.register(email)
    for (let index = 0; index < 10; index++) {
      await anonymous.register({ email, password: `${otherPassword} ${index}` })
    }
    await service.deliver()
    expect(await rowsOf('registrations')).toHaveLength(mailBudget.perHour)
    expect(await rowsOf('audit_events', "type = 'user.registered'")).toHaveLength(mailBudget.perHour)
    await anonymous.activate({ token, password: goodPassword })
  })

  it('leave known devices a budget of resets when a stranger has used up the common one', async ({
    service,
    inbox,
    anonymous,
    ada,
  }) => {
    const device = await deviceOf(ada, right)
    for (let index = 0; index < 8; index++) await anonymous.requestPasswordReset({ email })
    await service.deliver()
    const before = inbox.all(ada).length
    await anonymous.requestPasswordReset({ email, device_token: device })
    await service.deliver()
    expect(inbox.all(ada)).toHaveLength(before + 1)
  })

  it('leave the budget of another address alone', async ({ people, inbox, anonymous }) => {
    for (let index = 0; index < 8; index++) await anonymous.requestPasswordReset({ email })
    await people.signUp(bob)
    await people.resetToken(bob)
    expect(inbox.newest(bob).subject).toBe(subjects.passwordReset)
  })
})

describe('the deletion of an account', () => {
  it('deletes every counter of its address, and none of another', async ({ people, admin, ada, guess }) => {
    const neighbor = await people.signUp(`${email}.au`)
    for (const person of [ada, neighbor]) {
      const credentials = { email: person.email, password: person.password }
      const device = await deviceOf(person, credentials)
      await guess(2, person.email)
      const wrongOnDevice = { ...credentials, password: wrongPassword, device_token: device }
      await person.login(wrongOnDevice).refused(401, 'invalid_credentials')
    }
    expect(await counterKeys()).toHaveLength(4)
    await admin.deleteUser(ada)
    expect(await counterKeys()).toEqual([
      `account:${neighbor.email}`,
      expect.stringMatching(`^device:${neighbor.email}:`),
    ])
  })
})
