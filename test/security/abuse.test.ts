/** Budgets for guesses and for mails: exact, uniform, and no weapon against the owner. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { subjects } from '../support/mails.ts'
import { goodPassword, mailsTo, otherPassword, register, resetToken, signUp, signUpAdmin } from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { rowsOf, write } from '../support/state.ts'

const email = 'ada@example.com'
const rounds = 10

function tryPassword(service: Service, password: string, address = email, deviceToken?: string): Promise<Answer> {
  return service.call('POST', '/auth/login', { body: { email: address, password, device_token: deviceToken } })
}

/** Wrong passwords until the counter stands at `count`, each as soon as it is allowed. */
async function guess(service: Service, count: number, address = email): Promise<void> {
  for (let index = 0; index < count;) {
    const answer = await tryPassword(service, 'a wrong password', address)
    if (answer.status === 429) service.clock.advance(Number(answer.headers.get('Retry-After')) * second)
    else index++
  }
}

async function setCount(address: string, count: number): Promise<void> {
  await env.DB.prepare('update attempt_counters set count = ?, allowed_at = 0 where key = ?')
    .bind(count, `account:${address}`)
    .run()
}

describe('wrong passwords', () => {
  it('are looked at five times in a row, and then wait a second, doubling up to a quarter of an hour', async () => {
    const service = startService()
    await signUp(service, email)
    for (let index = 0; index < 5; index++) {
      expect((await tryPassword(service, 'a wrong password')).status, `try ${index}`).toBe(401)
    }
    const waits: number[] = []
    for (let index = 0; index < 13; index++) {
      const refused = await tryPassword(service, goodPassword)
      expect(refused.json.code).toBe('rate_limited')
      const seconds = Number(refused.headers.get('Retry-After'))
      waits.push(seconds)
      service.clock.advance(seconds * second - 1)
      expect((await tryPassword(service, goodPassword)).status, 'a moment too early').toBe(429)
      service.clock.advance(1)
      expect((await tryPassword(service, 'a wrong password')).status).toBe(401)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
  })

  it('get at most five of fifty looked at when they come at once', async () => {
    for (let round = 0; round < rounds; round++) {
      const service = startService()
      const address = `racer-${round}@example.com`
      await signUp(service, address)
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => tryPassword(service, 'a wrong password', address)),
      )
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(5)
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(45)
    }
  })

  it('count the same for an address without an account', async () => {
    const service = startService()
    await signUp(service, email)
    const patterns: string[][] = []
    for (const address of [email, 'nobody@example.com']) {
      const pattern: string[] = []
      for (let index = 0; index < 8; index++) {
        const answer = await tryPassword(service, 'a wrong password', address)
        pattern.push(`${answer.status} ${answer.headers.get('Retry-After')} ${answer.json.code}`)
      }
      patterns.push(pattern)
    }
    expect(patterns[0]).toEqual(patterns[1])
  })

  it('start anew after the right one', async () => {
    const service = startService()
    await signUp(service, email)
    await guess(service, 4)
    expect((await tryPassword(service, goodPassword)).status).toBe(200)
    await guess(service, 4)
    expect((await tryPassword(service, goodPassword)).status).toBe(200)
  })

  it('wait a quarter of an hour each, however many there were', async () => {
    const service = startService()
    await signUp(service, email)
    await guess(service, 1)
    // From 64 on a shift by as many places would be nothing again.
    for (const count of [33, 64, 69, 98]) {
      await setCount(email, count)
      expect((await tryPassword(service, 'a wrong password')).status).toBe(401)
      const refused = await tryPassword(service, goodPassword)
      expect([refused.status, refused.headers.get('Retry-After')], `after ${count + 1}`).toEqual([429, '900'])
    }
  })

  it('end password sign-in at a hundred in a row, until a reset by mail', async () => {
    const service = startService()
    await signUp(service, email)
    await guess(service, 6)
    await setCount(email, 99)
    expect((await tryPassword(service, 'a wrong password')).status).toBe(401)
    service.clock.advance(399 * day)
    await service.runCron('0 * * * *')
    const refused = await tryPassword(service, goodPassword)
    expect([refused.json.code, refused.headers.get('Retry-After')]).toEqual(['rate_limited', '3600'])

    const token = await resetToken(service, email)
    await service.call('POST', '/auth/password-reset/complete', { body: { token, new_password: otherPassword } })
    expect((await tryPassword(service, otherPassword)).status).toBe(200)
  })

  it('are counted together at sign-in, password change, deletion and activation', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const wrong = 'a wrong password'
    const change = { old_password: wrong, new_password: otherPassword }
    expect((await service.call('POST', '/auth/change-password', { token, body: change })).status).toBe(403)
    expect((await service.call('POST', '/auth/change-password', { token, body: change })).status).toBe(403)
    expect((await service.call('DELETE', '/users/me', { token, body: { password: wrong } })).status).toBe(403)
    expect((await tryPassword(service, wrong)).status).toBe(401)
    expect((await tryPassword(service, wrong)).status).toBe(401)
    const right = { old_password: goodPassword, new_password: otherPassword }
    expect((await service.call('POST', '/auth/change-password', { token, body: right })).json.code).toBe('rate_limited')
    const deletion = await service.call('DELETE', '/users/me', { token, body: { password: goodPassword } })
    expect(deletion.json.code).toBe('rate_limited')
    expect(deletion.headers.get('Retry-After')).toBe('1')

    const link = await register(service, 'bob@example.com')
    await guess(service, 5, 'bob@example.com')
    const activation = await service.call('POST', '/auth/activate', { body: { token: link, password: goodPassword } })
    expect(activation.json.code).toBe('rate_limited')
    service.clock.advance(second)
    expect(
      (await service.call('POST', '/auth/activate', { body: { token: link, password: goodPassword } })).status,
    ).toBe(200)
  })

  it('are not forgotten for the password of another registration of the address', async () => {
    const service = startService()
    const link = await register(service, email)
    const activate = (password: string) => service.call('POST', '/auth/activate', { body: { token: link, password } })
    // A stranger with the link, who registers the address once more to have a password that is taken for right.
    service.clock.advance(second)
    await service.call('POST', '/auth/register', { body: { email, password: otherPassword } })
    const statuses: number[] = []
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 4; index++) statuses.push((await activate('a wrong password')).status)
      expect((await tryPassword(service, otherPassword)).json.code).toMatch(/^(account_pending|rate_limited)$/)
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(5)
    expect(statuses.filter((status) => status === 429)).toHaveLength(12 - 5)
  })

  it('do not come of a password that is right but for an account that waits to be activated', async () => {
    const service = startService()
    const link = await register(service, email)
    for (let index = 0; index < 8; index++) {
      expect((await tryPassword(service, goodPassword)).json.code).toBe('account_pending')
    }
    await guess(service, 3)
    expect((await tryPassword(service, goodPassword)).json.code).toBe('account_pending')
    expect(await env.DB.prepare('select count from attempt_counters').first('count')).toBe(3)
    const answer = await service.call('POST', '/auth/activate', { body: { token: link, password: goodPassword } })
    expect(answer.status).toBe(200)
  })

  it('are not counted when the old password was right and only the new one is weak', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const body = { old_password: goodPassword, new_password: 'password1' }
    for (let index = 0; index < 8; index++) {
      expect((await service.call('POST', '/auth/change-password', { token, body })).json.code).toBe('weak_password')
    }
  })

  it('are not counted for a request that is refused for its form or its token', async () => {
    const service = startService()
    const { accessToken: token, refreshToken } = await signUp(service, email)
    for (let index = 0; index < 8; index++) {
      expect((await service.call('POST', '/auth/change-password', { token, body: {} })).status).toBe(422)
    }
    await service.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } })
    const body = { old_password: goodPassword, new_password: otherPassword }
    for (let index = 0; index < 8; index++) {
      expect((await service.call('POST', '/auth/change-password', { token, body })).status).toBe(401)
    }
    expect((await tryPassword(service, goodPassword)).status).toBe(200)
  })

  it('tell the owner of the mailbox at ten and at a hundred in a row, and nobody of an address without an account', async () => {
    const service = startService()
    await signUp(service, email)
    const before = mailsTo(service, email).length
    await guess(service, 9)
    await service.deliver()
    expect(mailsTo(service, email)).toHaveLength(before)
    await guess(service, 3)
    await service.deliver()
    expect(mailsTo(service, email)).toHaveLength(before + 1)
    expect(mailsTo(service, email)[0]!.text).toContain('/reset-password')
    await setCount(email, 99)
    await guess(service, 1)
    await service.deliver()
    expect(mailsTo(service, email)).toHaveLength(before + 2)
    await guess(service, 11, 'nobody@example.com')
    await service.deliver()
    expect(mailsTo(service, 'nobody@example.com')).toHaveLength(0)
  })

  it('tell the owner wherever they were tried, and once', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const password = 'a wrong password'
    const change = () =>
      service.call('POST', '/auth/change-password', {
        token,
        body: { old_password: password, new_password: otherPassword },
      })
    const remove = () => service.call('DELETE', '/users/me', { token, body: { password } })
    for (const [count, act] of [
      [9, change],
      [99, remove],
    ] as const) {
      await env.DB.prepare("insert or replace into attempt_counters values ('account:' || ?, ?, 0, 0)")
        .bind(email, count)
        .run()
      const before = mailsTo(service, email).length
      expect((await act()).json.code).toBe('wrong_password')
      await service.deliver()
      expect(mailsTo(service, email)).toHaveLength(before + 1)
      expect(mailsTo(service, email)[0]!.text).toContain('/reset-password')
    }
    await setCount(email, 10)
    const before = mailsTo(service, email).length
    expect((await change()).json.code).toBe('wrong_password')
    await service.deliver()
    expect(mailsTo(service, email)).toHaveLength(before)
  })

  it('tell the owner of so many series as there may be mails of a kind, and of no more', async () => {
    const service = startService()
    await signUp(service, email)
    await guess(service, 1)
    for (let series = 0; series < 8; series++) {
      await setCount(email, 9)
      expect((await tryPassword(service, 'a wrong password')).status).toBe(401)
    }
    const warnings = "select count(*) as n from emails where template = 'sign_in_attempts'"
    expect(await env.DB.prepare(warnings).first('n')).toBe(mailBudget.perHour)
  })

  it('tell the queue nothing else', async () => {
    const service = startService()
    await signUp(service, email)
    service.queued.length = 0
    await guess(service, 9)
    expect(service.queued).toEqual([])
  })

  it('are forgotten when nobody tried for a month', async () => {
    const service = startService()
    await guess(service, 5, 'nobody@example.com')
    service.clock.advance(30 * day - minute)
    await service.runCron('0 * * * *')
    expect(await env.DB.prepare('select count(*) as n from attempt_counters').first('n')).toBe(1)
    service.clock.advance(2 * minute)
    await service.runCron('0 * * * *')
    expect(await env.DB.prepare('select count(*) as n from attempt_counters').first('n')).toBe(0)
  })

  it('that ended password sign-in are remembered for longer than any link or session lives, and not for ever', async () => {
    const service = startService()
    await guess(service, 1, 'nobody@example.com')
    await setCount('nobody@example.com', 100)
    service.clock.advance(400 * day - minute)
    await service.runCron('0 * * * *')
    expect(await env.DB.prepare('select count(*) as n from attempt_counters').first('n')).toBe(1)
    service.clock.advance(2 * minute)
    await service.runCron('0 * * * *')
    expect(await env.DB.prepare('select count(*) as n from attempt_counters').first('n')).toBe(0)
  })
})

describe('a device that signed in before', () => {
  async function knownDevice(service: Service, address = email): Promise<string> {
    return (await tryPassword(service, goodPassword, address)).json.device_token
  }

  it('gets in while a stranger hammers the account, and the stranger gains nothing by it', async () => {
    const service = startService()
    await signUp(service, email)
    const device = await knownDevice(service)
    await guess(service, 6)
    await setCount(email, 100)
    expect((await tryPassword(service, goodPassword)).status).toBe(429)
    expect((await tryPassword(service, goodPassword, email, device)).status).toBe(200)
    expect((await tryPassword(service, goodPassword)).status).toBe(429)
  })

  it('has a budget that ends too, and that a reset gives back', async () => {
    const service = startService()
    await signUp(service, email)
    const device = await knownDevice(service)
    for (let index = 0; index < 5; index++) {
      expect((await tryPassword(service, 'a wrong password', email, device)).status).toBe(401)
    }
    expect((await tryPassword(service, goodPassword, email, device)).status).toBe(429)
    expect((await tryPassword(service, goodPassword)).status, 'the account has its own').toBe(200)
    const token = await resetToken(service, email)
    await service.call('POST', '/auth/password-reset/complete', { body: { token, new_password: otherPassword } })
    expect((await tryPassword(service, otherPassword, email, device)).status).toBe(200)
  })

  const endings: [name: string, end: (service: Service) => Promise<Answer>][] = [
    [
      'a reset',
      async (service) => {
        const token = await resetToken(service, email)
        return service.call('POST', '/auth/password-reset/complete', { body: { token, new_password: otherPassword } })
      },
    ],
    [
      'a change',
      async (service) => {
        const { access_token: token } = (await tryPassword(service, goodPassword)).json
        const body = { old_password: goodPassword, new_password: otherPassword }
        return service.call('POST', '/auth/change-password', { token, body })
      },
    ],
    [
      'deletion and another registration',
      async (service) => {
        const { access_token: token } = (await tryPassword(service, goodPassword)).json
        await service.call('DELETE', '/users/me', { token, body: { password: goodPassword } })
        const link = await register(service, email, otherPassword)
        return service.call('POST', '/auth/activate', { body: { token: link, password: otherPassword } })
      },
    ],
  ]

  it.each(endings)('is a stranger after %s, for passwords and for reset mails', async (_, end) => {
    const service = startService()
    await signUp(service, email)
    const devices: string[] = []
    for (let index = 0; index < 3; index++) devices.push(await knownDevice(service))
    expect((await end(service)).status).toBeLessThan(300)
    const statuses: number[] = []
    for (const device of devices) {
      for (let index = 0; index < 4; index++) {
        statuses.push((await tryPassword(service, 'a wrong password', email, device)).status)
        await service.call('POST', '/auth/password-reset/request', { body: { email, device_token: device } })
      }
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(5)
    const asked = await env.DB.prepare("select count(*) as n from emails where budget like 'password_reset%'").first(
      'n',
    )
    expect(asked).toBe(mailBudget.perHour)
    // And is known again by its next sign-in.
    service.clock.advance(hour)
    const device = (await tryPassword(service, otherPassword, email, devices[0])).json.device_token
    await setCount(email, 100)
    expect((await tryPassword(service, otherPassword, email, device)).status).toBe(200)
  })

  it('stays known when its password is only hashed anew', async () => {
    const service = startService()
    await signUp(service, email)
    const device = await knownDevice(service)
    const stronger = startService({ beside: service, platform: { work: { rounds: 2, iterations: 1000 } } })
    const hash = () => env.DB.prepare('select password_hash as hash from users').first('hash')
    const before = await hash()
    expect((await tryPassword(stronger, goodPassword)).status).toBe(200)
    expect(await hash()).not.toBe(before)
    await guess(service, 6)
    await setCount(email, 100)
    expect((await tryPassword(service, goodPassword, email, device)).status).toBe(200)
  })

  it('shares one budget of reset mails with all others that are known', async () => {
    const service = startService()
    await signUp(service, email)
    for (let index = 0; index < 8; index++) {
      const device = await knownDevice(service)
      await service.call('POST', '/auth/password-reset/request', { body: { email, device_token: device } })
    }
    const asked = await env.DB.prepare("select count(*) as n from emails where template = 'password_reset'").first('n')
    expect(asked).toBe(mailBudget.perHour)
  })

  it('keeps one budget through the tokens of all its sign-ins', async () => {
    const service = startService()
    await signUp(service, email)
    const first = await knownDevice(service)
    const second = (await tryPassword(service, goodPassword, email, first)).json.device_token
    for (const device of [first, second, first, second, first]) {
      expect((await tryPassword(service, 'a wrong password', email, device)).status).toBe(401)
    }
    expect((await tryPassword(service, goodPassword, email, second)).status).toBe(429)
  })

  it('is a stranger for another address, after half a year, and with a token of another kind', async () => {
    const service = startService()
    const ada = await signUp(service, email)
    await signUp(service, 'bob@example.com')
    const device = await knownDevice(service)
    await guess(service, 5)
    for (const token of [
      await knownDevice(service, 'bob@example.com'),
      ada.refreshToken,
      ada.accessToken,
      'x',
      '',
      7,
    ]) {
      const answer = await service.call('POST', '/auth/login', {
        body: { email, password: goodPassword, device_token: token },
      })
      expect([422, 429]).toContain(answer.status)
    }
    await setCount(email, 100)
    service.clock.advance(180 * day - second)
    expect((await tryPassword(service, 'a wrong password', email, device)).status).toBe(401)
    service.clock.advance(second)
    expect((await tryPassword(service, goodPassword, email, device)).status).toBe(429)
  })

  it('is no credential: it opens nothing and needs the password like anybody', async () => {
    const service = startService()
    await signUp(service, email)
    const device = await knownDevice(service)
    expect((await service.call('GET', '/users/me', { token: device })).status).toBe(401)
    expect((await service.call('POST', '/auth/refresh', { body: { refresh_token: device } })).status).toBe(401)
    expect((await tryPassword(service, 'a wrong password', email, device)).status).toBe(401)
  })
})

describe('mails to one address', () => {
  const kinds: [name: string, ask: (service: Service) => Promise<Answer>][] = [
    ['registration', (service) => service.call('POST', '/auth/register', { body: { email, password: goodPassword } })],
    ['resend', (service) => service.call('POST', '/auth/resend-activation', { body: { email } })],
    ['reset', (service) => service.call('POST', '/auth/password-reset/request', { body: { email } })],
  ]

  for (const [name, ask] of kinds) {
    it(`are at most ${mailBudget.perHour} an hour and ${mailBudget.perDay} a day for a ${name}, and the answer is the same`, async () => {
      const service = startService()
      await register(service, email)
      service.clock.advance(2 * day)
      const before = mailsTo(service, email).length
      const texts = new Set<string>()
      const perHour: number[] = []
      for (let turn = 0; turn < 6; turn++) {
        const answers = await Promise.all(Array.from({ length: 20 }, () => ask(service)))
        for (const { status, text } of answers) texts.add(`${status} ${text}`)
        await service.deliver()
        perHour.push(mailsTo(service, email).length - before)
        service.clock.advance(hour + second)
      }
      expect(texts.size).toBe(1)
      expect(perHour).toEqual([5, 10, 15, 20, 20, 20])
      service.clock.advance(day)
      await ask(service)
      await service.deliver()
      expect(mailsTo(service, email)).toHaveLength(before + 21)
    })
  }

  it('may be asked for again when the first of an hour, and of a day, is older than that, and not a second before', async () => {
    const service = startService()
    await signUp(service, email)
    service.clock.advance(day)
    const before = mailsTo(service, email).length
    const start = service.clock.now().getTime()
    /** How many there are after one more was asked for, so long after the first. */
    const askedAfter = async (ms: number) => {
      service.clock.advance(start + ms - service.clock.now().getTime())
      await service.call('POST', '/auth/password-reset/request', { body: { email } })
      await service.deliver()
      return mailsTo(service, email).length - before
    }
    const five = async (ms: number) => {
      for (let mail = 1; mail <= 5; mail++) await askedAfter(ms)
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

  const noticed: [name: string, subject: string, prepare: (service: Service) => Promise<() => Promise<Answer>>][] = [
    [
      'changed passwords',
      subjects.passwordChanged,
      async (service) => {
        await signUp(service, email)
        const body = { old_password: goodPassword, new_password: goodPassword }
        return async () => {
          const token = (await tryPassword(service, goodPassword)).json.access_token
          return service.call('POST', '/auth/change-password', { token, body })
        }
      },
    ],
    [
      'passwords that were reset',
      subjects.passwordChanged,
      async (service) => {
        await signUp(service, email)
        return async () => {
          // Reset mails have a budget of their own; what is asked here is that of the news.
          await write("update emails set budget = null where template = 'password_reset'")
          const token = await resetToken(service, email)
          const body = { token, new_password: goodPassword }
          return service.call('POST', '/auth/password-reset/complete', { body })
        }
      },
    ],
    [
      'stolen sessions',
      subjects.sessionReuse,
      async (service) => {
        await signUp(service, email)
        return async () => {
          const body = { refresh_token: (await tryPassword(service, goodPassword)).json.refresh_token }
          await service.call('POST', '/auth/refresh', { body })
          service.clock.advance(31 * second)
          return service.call('POST', '/auth/refresh', { body })
        }
      },
    ],
  ]

  it.each(noticed)(
    'with news of %s are at most five an hour, and what they tell of happens all the same',
    async (_, subject, prepare) => {
      const service = startService()
      const cause = await prepare(service)
      const news = async () => {
        await service.deliver()
        return mailsTo(service, email).filter((mail) => mail.subject === subject).length
      }
      const statuses = new Set<number>()
      for (let time = 1; time <= 8; time++) statuses.add((await cause()).status)
      expect([[204], [401]]).toContainEqual([...statuses])
      expect(await news()).toBe(5)
      const events = await rowsOf(
        'audit_events',
        "type in ('user.password_changed', 'user.password_reset', 'session.reuse_detected')",
      )
      expect(events).toHaveLength(8)
      service.clock.advance(hour + 1)
      await cause()
      expect(await news()).toBe(6)
    },
  )

  it(`that activate are at most ${mailBudget.perHour} an hour and ${mailBudget.perDay} a day, whatever mixture is asked for`, async () => {
    const service = startService()
    await register(service, email)
    service.clock.advance(2 * day)
    const before = mailsTo(service, email).length
    const perHour: number[] = []
    for (let turn = 0; turn < 6; turn++) {
      const asking = Array.from({ length: 20 }, (_, index) =>
        (index + turn) % 3 === 0
          ? service.call('POST', '/auth/register', { body: { email, password: goodPassword } })
          : service.call('POST', '/auth/resend-activation', { body: { email } }),
      )
      await Promise.all(asking)
      await service.deliver()
      perHour.push(mailsTo(service, email).length - before)
      service.clock.advance(hour + second)
    }
    expect(perHour).toEqual([5, 10, 15, 20, 20, 20])
    expect(new Set(mailsTo(service, email).map(({ subject }) => subject))).toEqual(new Set([subjects.activation]))
  })

  it('over the budget change nothing: links stay good and no further attempt to register is kept', async () => {
    const service = startService()
    const link = await register(service, email)
    for (let index = 0; index < 10; index++) {
      await service.call('POST', '/auth/register', { body: { email, password: `${otherPassword} ${index}` } })
    }
    await service.deliver()
    expect(await env.DB.prepare('select count(*) as n from registrations').first('n')).toBe(mailBudget.perHour)
    expect(
      await env.DB.prepare("select count(*) as n from audit_events where type = 'user.registered'").first('n'),
    ).toBe(mailBudget.perHour)
    const answer = await service.call('POST', '/auth/activate', { body: { token: link, password: goodPassword } })
    expect(answer.status).toBe(200)
  })

  it('leave the owner on a known device a budget of reset mails when a stranger used up the common one', async () => {
    const service = startService()
    await signUp(service, email)
    const device = (await tryPassword(service, goodPassword)).json.device_token
    for (let index = 0; index < 8; index++)
      await service.call('POST', '/auth/password-reset/request', { body: { email } })
    await service.deliver()
    const before = mailsTo(service, email).length
    await service.call('POST', '/auth/password-reset/request', { body: { email, device_token: device } })
    await service.deliver()
    expect(mailsTo(service, email)).toHaveLength(before + 1)
  })

  it('of one address leave the budget of another alone', async () => {
    const service = startService()
    for (let index = 0; index < 8; index++)
      await service.call('POST', '/auth/password-reset/request', { body: { email } })
    await signUp(service, 'bob@example.com')
    await resetToken(service, 'bob@example.com')
  })
})

it('forgets every budget of a deleted account, and none of another’s', async () => {
  const service = startService()
  const admin = await signUpAdmin(service)
  const { id } = await signUp(service, email)
  const neighbour = `${email}.au`
  await signUp(service, neighbour)
  for (const address of [email, neighbour]) {
    const device = (await tryPassword(service, goodPassword, address)).json.device_token
    await guess(service, 2, address)
    await tryPassword(service, 'a wrong password', address, device)
  }
  const keys = async () => {
    const { results } = await env.DB.prepare('select key from attempt_counters order by key').all<{ key: string }>()
    return results.map(({ key }) => key)
  }
  expect(await keys()).toHaveLength(4)
  await service.call('DELETE', `/users/${id}`, { token: admin.accessToken })
  expect(await keys()).toEqual([`account:${neighbour}`, expect.stringMatching(`^device:${neighbour}:`)])
})
