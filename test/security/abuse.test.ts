/** Budgets for guesses and for mails: exact, uniform, and no weapon against the owner. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { passwordAttempts } from '../../src/services/attempts.ts'
import { mailBudget } from '../../src/store/emails.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { goodPassword, mailsTo, otherPassword, register, resetToken, signUp, signUpAdmin } from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'

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
    for (let index = 0; index < passwordAttempts.free; index++) {
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
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(passwordAttempts.free)
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(50 - passwordAttempts.free)
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

  it('end password sign-in at a hundred in a row, until a reset by mail', async () => {
    const service = startService()
    await signUp(service, email)
    await guess(service, 6)
    await setCount(email, passwordAttempts.max - 1)
    expect((await tryPassword(service, 'a wrong password')).status).toBe(401)
    service.clock.advance(29 * day)
    await service.runCron('0 * * * *')
    expect((await tryPassword(service, goodPassword)).json.code).toBe('rate_limited')

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
    await setCount(email, passwordAttempts.max - 1)
    await guess(service, 1)
    await service.deliver()
    expect(mailsTo(service, email)).toHaveLength(before + 2)
    await guess(service, 11, 'nobody@example.com')
    await service.deliver()
    expect(mailsTo(service, 'nobody@example.com')).toHaveLength(0)
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
    await setCount(email, passwordAttempts.max)
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
    await setCount(email, passwordAttempts.max)
    service.clock.advance(180 * day)
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

it('forgets every budget of a deleted account', async () => {
  const service = startService()
  const admin = await signUpAdmin(service)
  const { id } = await signUp(service, email)
  const device = (await tryPassword(service, goodPassword)).json.device_token
  await guess(service, 2)
  await tryPassword(service, 'a wrong password', email, device)
  expect(await env.DB.prepare('select count(*) as n from attempt_counters').first('n')).toBe(2)
  await service.call('DELETE', `/users/${id}`, { token: admin.accessToken })
  expect(await env.DB.prepare('select count(*) as n from attempt_counters').first('n')).toBe(0)
})
