/** The email about a sign-in from a device and a place that an account was not used from before. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { mailBudget } from '../../src/config/policy.ts'
import { Caller } from '../support/caller.ts'
import { day, hour, minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import type { Inbox } from '../support/inbox.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { insertAuditEvents, setAttempts } from '../support/rows.ts'
import { type Call, type Service, startService } from '../support/service.ts'
import { write } from '../support/state.ts'

const email = 'ada@example.com'
const subject = 'New sign-in to your Postern account'

interface Place {
  ip?: string
  country?: string
}

const home: Place = { ip: '203.0.113.7', country: 'GB' }
const away: Place = { ip: '198.51.100.9', country: 'BR' }
const japan: Place = { ip: '192.0.2.9', country: 'JP' }

function at({ ip = '203.0.113.7', country }: Place): Call {
  return { headers: { 'CF-Connecting-IP': ip, 'User-Agent': 'Netscape/4' }, ...(country && { country }) }
}

function signInFrom(service: Service, place: Place, password = goodPassword, device?: string) {
  const body = { email, password, ...(device !== undefined && { device_token: device }) }
  return new Caller(service).from(at(place)).login(body)
}

const notices = (inbox: Inbox) => inbox.all(email).filter((mail) => mail.subject === subject)

const it = base
  .extend('activateFrom', async ({ people, anonymous }) => async (place: Place) => {
    const token = await people.register(email)
    return anonymous.from(at(place)).activate({ token, password: goodPassword })
  })
  /** The user sets a password from home then. */
  .extend('activateByAdmin', async ({ service, inbox, people, anonymous, admin }) => async (place: Place) => {
    const { id } = await people.pending(email)
    await admin.from(at(place)).activateUser(id)
    await service.deliver()
    const token = inbox.linkToken(email)
    await anonymous.from(at(home)).completePasswordReset({ token, new_password: goodPassword })
  })
  /** Signs in from somewhere, and tells whether an email said so. */
  .extend('isMailed', async ({ service, inbox }) => async (place: Place, password = goodPassword, device?: string) => {
    await service.deliver()
    const before = notices(inbox).length
    await signInFrom(service, place, password, device)
    await service.deliver()
    return notices(inbox).length > before
  })

describe('a sign-in from a new device', () => {
  it('is mailed when the place is new, once, and says when and from where', async ({
    inbox,
    activateFrom,
    isMailed,
  }) => {
    await activateFrom(home)
    expect(await isMailed(away)).toBe(true)
    const [mail] = notices(inbox)
    expect(mail!.text).toContain('198.51.100.9 (BR)')
    expect(mail!.text).toContain('/reset-password')
    expect(await isMailed(away), 'again from there').toBe(false)
  })

  it('is not mailed from the country of the activation or of a live session', async ({ activateFrom, isMailed }) => {
    await activateFrom(home)
    expect(await isMailed({ ip: '192.0.2.1', country: 'GB' })).toBe(false)
    await isMailed(away)
    expect(await isMailed({ ip: '192.0.2.2', country: 'BR' })).toBe(false)
  })

  it.for([
    { kind: 'unknown', place: {} },
    { kind: 'unknown to Cloudflare', place: { country: 'XX' } },
    { kind: 'Tor', place: { country: 'T1' } },
  ])('is judged by its address when the country is $kind', async ({ place }, { activateFrom, isMailed }) => {
    await activateFrom({ ip: '203.0.113.7', ...place })
    expect(await isMailed({ ip: '203.0.113.7', ...place }), 'the same').toBe(false)
    expect(await isMailed({ ip: '198.51.100.9', ...place }), 'another').toBe(true)
  })

  it('is not mailed for 180 days after the last session from its place', async ({
    service,
    clock,
    anonymous,
    activateFrom,
    isMailed,
  }) => {
    await activateFrom(home)
    const tokens = await signInFrom(service, away)
    await anonymous.logout(tokens.refresh_token!)
    clock.advance(179 * day)
    expect(await isMailed(away)).toBe(false)
    await write('delete from sessions')
    clock.advance(180 * day + 1)
    expect(await isMailed(away), '180 days after the last visit').toBe(true)
  })

  it('does not count an expired session as a visit', async ({ service, clock, activateFrom, isMailed }) => {
    await activateFrom(home)
    await signInFrom(service, away)
    await write("delete from audit_events where country = 'BR'")
    clock.advance(29 * day)
    expect(await isMailed({ ...away, ip: '192.0.2.2' })).toBe(false)
    await write("delete from audit_events where country = 'BR'")
    await write("delete from sessions where ip = '192.0.2.2'")
    clock.advance(day)
    expect(await isMailed(away)).toBe(true)
  })

  it('does not count as a visit what an access token alone can do', async ({ anonymous, activateFrom, isMailed }) => {
    const { access_token: token } = await activateFrom(home)
    await anonymous.from({ token, ...at(away) }).updateMe({ bio: 'x' })
    expect(await isMailed(away)).toBe(true)
  })

  it('does not count a visit of another user, of the ADMIN who activated it, or a refused sign-in', async ({
    service,
    eve,
    activateByAdmin,
    isMailed,
  }) => {
    await activateByAdmin(away)
    await signInFrom(service, home)
    await eve.from(at(away)).signIn()
    await signInFrom(service, away, 'a wrong password').refused(401, 'invalid_credentials')
    expect(await isMailed(away)).toBe(true)
  })
})

it('mails nothing about a known device, wherever it is', async ({ eve, activateFrom, isMailed }) => {
  const { device_token: device } = await activateFrom(home)
  expect(await isMailed(away, goodPassword, device)).toBe(false)
  const foreign = await eve.login({ email: eve.email, password: eve.password })
  expect(await isMailed(japan, goodPassword, foreign.device_token), 'the device token of another account').toBe(true)
})

describe('the first sign-in of an account', () => {
  it('is not mailed when it is the activation', async ({ service, inbox, activateFrom }) => {
    await activateFrom(away)
    await service.deliver()
    expect(notices(inbox)).toHaveLength(0)
  })

  it('is not mailed when an ADMIN activated the account', async ({ activateByAdmin, isMailed }) => {
    await activateByAdmin(home)
    expect(await isMailed(away)).toBe(false)
    expect(await isMailed(japan), 'the second').toBe(true)
  })

  it('is not mailed when a reset activated the account', async ({ people, anonymous, isMailed }) => {
    await people.register(email)
    const token = await people.resetToken(email)
    await anonymous.from(at(home)).completePasswordReset({ token, new_password: otherPassword })
    expect(await isMailed(away, otherPassword)).toBe(false)
  })
})

it('mails nothing about a refused sign-in', async ({ service, activateFrom }) => {
  await activateFrom(home)
  await service.deliver()
  const before = service.mailbox.mails().length
  await signInFrom(service, away, 'a wrong password').refused(401, 'invalid_credentials')
  await service.deliver()
  expect(service.mailbox.mails()).toHaveLength(before)
})

it('mails one notice about twenty sign-ins from one new place at once', async ({ service, inbox, activateFrom }) => {
  await activateFrom(home)
  await setAttempts(email, -1000)
  const sent = Array.from({ length: 20 }, () => signInFrom(service, away).answer)
  expect((await Promise.all(sent)).map(({ status }) => status)).toEqual(Array(20).fill(200))
  await service.deliver()
  expect(notices(inbox)).toHaveLength(1)
})

it(`mails at most ${mailBudget.perHour} notices an hour and ${mailBudget.perDay} a day`, async ({
  service,
  clock,
  inbox,
  activateFrom,
}) => {
  await activateFrom(home)
  const places = Array.from({ length: 40 }, (_, index) => ({
    ip: `192.0.2.${index}`,
    country: `Q${String.fromCharCode(65 + (index % 26))}`,
  }))
  const perHour: number[] = []
  for (let turn = 0; turn < 6; turn++) {
    for (const place of places.slice(turn * 6, turn * 6 + 6)) await signInFrom(service, place)
    await write('delete from sessions')
    await service.deliver()
    perHour.push(notices(inbox).length)
    clock.advance(hour + minute)
  }
  expect(perHour.slice(0, 4)).toEqual([5, 10, 15, 20])
  expect(perHour.at(-1)).toBe(20)
})

describe('the notice', () => {
  const metered = it.extend('meter', async ({ service }) => {
    const meter = countCosts(env)
    return { ...meter, service: startService({ env: meter.bindings, beside: service }) }
  })

  metered(
    'costs nothing from a known place, and four rows and a queue send from a new one',
    async ({ activateFrom, meter }) => {
      await activateFrom(home)
      await signInFrom(meter.service, home)
      const ordinary = meter.take()
      expect(ordinary).toMatchObject({ roundTrips: 2, queueSends: 0 })
      expect(ordinary.rowsWritten).toBeLessThanOrEqual(8)
      await signInFrom(meter.service, away)
      const noticed = meter.take()
      expect(noticed).toMatchObject({ roundTrips: 2, queueSends: 1 })
      expect(noticed.rowsWritten).toBe(ordinary.rowsWritten + 4)
    },
  )

  metered('reads no more rows after a long history', async ({ activateFrom, meter }) => {
    const { user } = await activateFrom(home)
    await signInFrom(meter.service, home)
    const ordinary = meter.take()
    await signInFrom(meter.service, away)
    const noticed = meter.take()

    const event = { type: 'user.sign_in_refused' as const, userId: user.id, at: new Date(0) }
    // Some days before: of this day, all events of the user are read.
    const idOf = (place: number) => `01a1f000-0000-7000-8000-${place.toString(16).padStart(12, '0')}`
    await insertAuditEvents(Array.from({ length: 3000 }, (_, index) => ({ ...event, id: idOf(index + 1) })))
    await signInFrom(meter.service, home)
    expect(meter.take().rowsRead, 'a session from there lives').toBeLessThan(ordinary.rowsRead + 20)
    await signInFrom(meter.service, { ip: '192.0.2.1', country: 'JP' })
    expect(meter.take().rowsRead).toBeLessThan(noticed.rowsRead + 310)
  })
})
