/** The mail for a sign-in from a device and a place that an account was not used from before. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { day, hour, minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { goodPassword, otherPassword, register, resetToken, signUp, signUpAdmin } from '../support/people.ts'
import { type Answer, type Call, type Service, startService } from '../support/service.ts'
import { write } from '../support/state.ts'

const email = 'ada@example.com'
const subject = 'New sign-in to your Postern account'

interface From {
  ip?: string
  country?: string
  device?: string
}

const home: From = { ip: '203.0.113.7', country: 'GB' }
const away: From = { ip: '198.51.100.9', country: 'BR' }

function at({ ip = '203.0.113.7', country }: From): Call {
  return { headers: { 'CF-Connecting-IP': ip, 'User-Agent': 'Netscape/4' }, ...(country && { country }) }
}

async function signInFrom(service: Service, from: From, password = goodPassword): Promise<Answer> {
  const body = { email, password, device_token: from.device }
  return service.call('POST', '/auth/login', { body, ...at(from) })
}

/** Signs in from somewhere, and tells whether that was mailed. */
async function isMailed(service: Service, from: From, password = goodPassword): Promise<boolean> {
  await service.deliver()
  const before = notices(service).length
  expect((await signInFrom(service, from, password)).status).toBe(200)
  await service.deliver()
  return notices(service).length > before
}

function notices(service: Service) {
  return service.mailbox.mails().filter((mail) => mail.to.includes(email) && mail.subject === subject)
}

async function activateFrom(service: Service, from: From): Promise<Answer> {
  const token = await register(service, email)
  return service.call('POST', '/auth/activate', { body: { token, password: goodPassword }, ...at(from) })
}

describe('a sign-in from a new device', () => {
  it('is mailed when the place is new, once, and says when and from where', async () => {
    const service = startService()
    await activateFrom(service, home)
    expect(await isMailed(service, away)).toBe(true)
    const [mail] = notices(service)
    expect(mail!.text).toContain('198.51.100.9 (BR)')
    expect(mail!.text).toContain('/reset-password')
    expect(await isMailed(service, away), 'again from there').toBe(false)
  })

  it('is not mailed from the country of the activation or of a session that lives', async () => {
    const service = startService()
    await activateFrom(service, home)
    expect(await isMailed(service, { ip: '192.0.2.1', country: 'GB' })).toBe(false)
    await isMailed(service, away)
    expect(await isMailed(service, { ip: '192.0.2.2', country: 'BR' })).toBe(false)
  })

  it.each([
    ['unknown', {}],
    ['unknown to Cloudflare', { country: 'XX' }],
    ['Tor', { country: 'T1' }],
  ])('goes by the address when the country is %s', async (_, country) => {
    const service = startService()
    await activateFrom(service, { ip: '203.0.113.7', ...country })
    expect(await isMailed(service, { ip: '203.0.113.7', ...country }), 'the same').toBe(false)
    expect(await isMailed(service, { ip: '198.51.100.9', ...country }), 'another').toBe(true)
  })

  it('knows a place from the trail when no session from there lives any more, for half a year', async () => {
    const service = startService()
    await activateFrom(service, home)
    const { json } = await signInFrom(service, away)
    await service.call('POST', '/auth/logout', { body: { refresh_token: json.refresh_token } })
    service.clock.advance(179 * day)
    expect(await isMailed(service, away)).toBe(false)
    await write('delete from sessions')
    service.clock.advance(180 * day + 1)
    expect(await isMailed(service, away), 'half a year after the last visit').toBe(true)
  })

  it('takes no session for a visit once it has expired', async () => {
    const service = startService()
    await activateFrom(service, home)
    await signInFrom(service, away)
    await write("delete from audit_events where country = 'BR'")
    service.clock.advance(29 * day)
    expect(await isMailed(service, { ...away, ip: '192.0.2.2' })).toBe(false)
    await write("delete from audit_events where country = 'BR'")
    await write("delete from sessions where ip = '192.0.2.2'")
    service.clock.advance(day)
    expect(await isMailed(service, away)).toBe(true)
  })

  it('takes nothing for a visit that an access token alone can do', async () => {
    const service = startService()
    const { json } = await activateFrom(service, home)
    await service.call('PATCH', '/users/me', { token: json.access_token, body: { bio: 'x' }, ...at(away) })
    expect(await isMailed(service, away)).toBe(true)
  })

  it('takes no visit of anybody else for one: another user, an ADMIN who activated, or who was refused', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    await register(service, email)
    const { json } = await service.call('GET', `/users?email=${email}`, { token })
    await service.call('POST', `/users/${json.users[0].id}/activate`, { token, ...at(away) })
    await signInFrom(service, home)
    await signUp(service, 'eve@example.com')
    const body = { email: 'eve@example.com', password: goodPassword }
    await service.call('POST', '/auth/login', { body, ...at(away) })
    await signInFrom(service, away, 'a wrong password')
    expect(await isMailed(service, away)).toBe(true)
  })
})

it('mails nothing to a device that is known, wherever it travels', async () => {
  const service = startService()
  const { json } = await activateFrom(service, home)
  expect(await isMailed(service, { ...away, device: json.device_token })).toBe(false)
  const eve = await signUp(service, 'eve@example.com')
  const foreign = await service.call('POST', '/auth/login', { body: { email: eve.email, password: goodPassword } })
  const stranger = { ip: '192.0.2.9', country: 'JP', device: foreign.json.device_token }
  expect(await isMailed(service, stranger), "with another account's device token").toBe(true)
})

describe('the first sign-in of all is not mailed, from wherever it is', () => {
  it('when it is the activation', async () => {
    const service = startService()
    await activateFrom(service, away)
    await service.deliver()
    expect(notices(service)).toHaveLength(0)
  })

  it('when an ADMIN activated the account', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    await register(service, email)
    const { json } = await service.call('GET', `/users?email=${email}`, { token })
    await service.call('POST', `/users/${json.users[0].id}/activate`, { token, ...at(home) })
    expect(await isMailed(service, away)).toBe(false)
    expect(await isMailed(service, { ip: '192.0.2.9', country: 'JP' }), 'the second').toBe(true)
  })

  it('when a reset activated the account', async () => {
    const service = startService()
    await register(service, email)
    const body = { token: await resetToken(service, email), new_password: otherPassword }
    await service.call('POST', '/auth/password-reset/complete', { body, ...at(home) })
    expect(await isMailed(service, away, otherPassword)).toBe(false)
  })
})

it('mails nothing for a refused sign-in', async () => {
  const service = startService()
  await activateFrom(service, home)
  await service.deliver()
  const before = service.mailbox.mails().length
  await signInFrom(service, away, 'a wrong password')
  await service.deliver()
  expect(service.mailbox.mails()).toHaveLength(before)
})

it('mails one notice of twenty sign-ins from one new place at once', async () => {
  const service = startService()
  await activateFrom(service, home)
  await write("insert or replace into attempt_counters values ('account:ada@example.com', -1000, 0, 0)")
  const answers = await Promise.all(Array.from({ length: 20 }, () => signInFrom(service, away)))
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
  await service.deliver()
  expect(notices(service)).toHaveLength(1)
})

it(`mails ${mailBudget.perHour} notices an hour and ${mailBudget.perDay} a day at most`, async () => {
  const service = startService()
  await activateFrom(service, home)
  const places = Array.from({ length: 40 }, (_, index) => ({
    ip: `192.0.2.${index}`,
    country: `Q${String.fromCharCode(65 + (index % 26))}`,
  }))
  const perHour: number[] = []
  for (let turn = 0; turn < 6; turn++) {
    for (const place of places.slice(turn * 6, turn * 6 + 6)) await signInFrom(service, place)
    await write('delete from sessions')
    await service.deliver()
    perHour.push(notices(service).length)
    service.clock.advance(hour + minute)
  }
  expect(perHour.slice(0, 4)).toEqual([5, 10, 15, 20])
  expect(perHour.at(-1)).toBe(20)
})

it('costs a sign-in nothing when the place is known, five rows and a queue send when it is new, and reads no more of a long history', async () => {
  const service = startService()
  const { json } = await activateFrom(service, home)
  const meter = countCosts(env)
  const metered = startService({ env: meter.bindings, beside: service })
  await signInFrom(metered, home)
  const ordinary = meter.take()
  expect(ordinary).toMatchObject({ roundTrips: 2, queueSends: 0 })
  expect(ordinary.rowsWritten).toBeLessThanOrEqual(9)
  await signInFrom(metered, away)
  const noticed = meter.take()
  expect(noticed).toMatchObject({ roundTrips: 2, queueSends: 1 })
  expect(noticed.rowsWritten).toBe(ordinary.rowsWritten + 5)

  const history = (rows: number) =>
    write(`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows})
      insert into audit_events (id, at, type, user_id) select printf('01a20320-%04x-7000-8000-%012x', i / 65536, i), 0, 'user.sign_in_refused', '${json.user.id}' from n`)
  await history(3000)
  await signInFrom(metered, home)
  expect(meter.take().rowsRead, 'a session from there lives').toBeLessThan(ordinary.rowsRead + 10)
  await signInFrom(metered, { ip: '192.0.2.1', country: 'JP' })
  expect(meter.take().rowsRead).toBeLessThan(noticed.rowsRead + 310)
})
