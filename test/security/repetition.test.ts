/** A lost answer can be repeated by the client that lost it; anybody else's repetition is on record, and soon theft. */
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { beforeEach, describe, expect } from 'vitest'
import { bytesOfIp, networkBytes } from '../../src/ip-address.ts'
import { expectOk, expectProblem } from '../support/answers.ts'
import { day, hour, minute, second } from '../support/clock.ts'
import { it as base } from '../support/fixtures.ts'
import { subjects } from '../support/mails.ts'
import { type Person, expectAlive, expectEnded } from '../support/person.ts'
import { hexOf } from '../support/readable.ts'
import { insertUserAgents } from '../support/rows.ts'
import type { Answer, Call } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf } from '../support/state.ts'

const email = 'ada@example.com'
const home = '203.0.113.7'
const firefox = 'Firefox/140'
const curl = 'curl/8'

/** A caller at an address, with a user agent; `null` for none. */
function at(ip: string | null, userAgent: string | null = firefox): Call {
  return {
    ...(ip === null && { withoutAddress: true }),
    headers: { ...(ip !== null && { 'CF-Connecting-IP': ip }), ...(userAgent !== null && { 'User-Agent': userAgent }) },
  }
}

/** Events and sessions name only user agents that somebody signed in with. */
beforeEach(async () => void (await insertUserAgents([firefox, curl])))

/** A refresh of a token by somebody who may be somewhere else than its owner. */
const present = (person: Person, from: Call, token = person.refreshToken) =>
  person.call('refresh', { body: { refresh_token: token }, ...from })

/** Ada's session, rotated once from some place; `lost` holds the token of the answer that she may have lost. */
const it = base.extend('rotated', async ({ ada, clock }) => async (from: Call = at(home), person = ada) => {
  clock.advance(minute)
  const successor = person.holding(await present(person, from))
  return { lost: person, successor }
})

/** The next rotation of the session, from home. */
async function rotate(person: Person): Promise<Person> {
  return person.holding(await present(person, at(home)))
}

const theftBy = (person: Person, reason: string, rotated_ip: string | null = home) => ({
  rows: { sessions: '-1', emails: '+1', audit_events: '+1' },
  events: [
    {
      type: 'session.reuse_detected',
      actor: null,
      user: person.id,
      detail: { session_id: person.sessionId, rotated_ip, rotated_country: null, reason },
    },
  ],
  revoked: [person.sessionId],
  mails: [`${email}: ${subjects.sessionReuse}`],
})

const networkOf = (address: string) => hexOf(networkBytes(bytesOfIp(address))!)

const strayOf = (person: Person, rotated_ip: string | null, rows: object = { sessions: '~1', audit_events: '+1' }) => ({
  ...nothing,
  rows,
  events: [
    {
      type: 'session.refresh_repeated',
      actor: null,
      user: person.id,
      detail: { session_id: person.sessionId, rotated_ip, rotated_country: null },
    },
  ],
})

const counted = { ...nothing, rows: { sessions: '~1' } }

describe('the network of an address', () => {
  it.for([
    ['203.0.113.7', 'cb0071'],
    ['203.0.113.255', 'cb0071'],
    ['::ffff:203.0.113.7', 'cb0071'],
    ['::FFFF:CB00:7107', 'cb0071'],
    ['2001:db8::1', '20010db800000000'],
    ['2001:DB8:0:0:ffff:ffff:ffff:ffff', '20010db800000000'],
    ['2001:db8:0:1::', '20010db800000001'],
    ['::1', '0000000000000000'],
  ] as const)('of %s is %s', ([address, network]) => {
    expect(networkOf(address)).toBe(network)
  })

  it('is the same for two IPv4 addresses exactly when their first three numbers are', () => {
    const octet = fc.integer({ min: 0, max: 255 })
    const parts = fc.tuple(octet, octet, octet, octet)
    fc.assert(
      fc.property(parts, parts, fc.nat(3), (a, b, same) => {
        const other = [...a.slice(0, same), ...b.slice(same)]
        const isSame = a.slice(0, 3).join() === other.slice(0, 3).join()
        expect(networkOf(a.join('.')) === networkOf(other.join('.'))).toBe(isSame)
      }),
    )
  })
})

describe('the first repetition of a rotation', () => {
  it.for<{ by: string; rotation: Call; repetition: Call }>([
    { by: 'the same address', rotation: at(home), repetition: at(home) },
    { by: 'the first address of its /24', rotation: at(home), repetition: at('203.0.113.0') },
    { by: 'the last address of its /24', rotation: at(home), repetition: at('203.0.113.255') },
    { by: 'the same address as IPv6', rotation: at(home), repetition: at('::ffff:203.0.113.9') },
    { by: 'the first address of its /64', rotation: at('2001:db8:0:1::5'), repetition: at('2001:db8:0:1::') },
    {
      by: 'the last address of its /64 in another spelling',
      rotation: at('2001:db8:0:1::5'),
      repetition: at('2001:0DB8:0000:0001:FFFF:FFFF:FFFF:FFFF'),
    },
    { by: 'a program without an address', rotation: at(null), repetition: at(null) },
    { by: 'a program without a user agent', rotation: at(home, null), repetition: at(home, null) },
    { by: 'the same text that is no address', rotation: at('unknown'), repetition: at('unknown') },
  ])('from $by gets the same successor and writes one row', async ({ rotation, repetition }, { service, rotated }) => {
    const { lost, successor } = await rotated(rotation)
    const before = await rowOf('sessions')
    const { answer, effects } = await observe(service, () => present(lost, repetition))
    expect(expectOk(answer).refresh_token).toBe(successor.refreshToken)
    expect(effects).toEqual(counted)
    const { ip, user_agent, network, last_used_at, expires_at, generation } = before
    expect(await rowOf('sessions'), 'where the rotation came from').toMatchObject({
      ip,
      user_agent,
      network,
      last_used_at,
      expires_at,
      generation,
    })
  })

  it.for<{ by: string; rotation?: Call; repetition: Call; ip: string | null; there?: null }>([
    { by: 'the /24 below', repetition: at('203.0.112.255'), ip: home },
    { by: 'the /24 above', repetition: at('203.0.114.0'), ip: home },
    { by: 'another /64', rotation: at('2001:db8:0:1::5'), repetition: at('2001:db8:0:2::5'), ip: '2001:db8:0:1::5' },
    {
      by: 'the /64 below',
      rotation: at('2001:db8:0:1::'),
      repetition: at('2001:db8::ffff:ffff:ffff:ffff'),
      ip: '2001:db8:0:1::',
    },
    { by: 'IPv6 instead of IPv4', repetition: at('2001:db8::5'), ip: home },
    { by: 'no address', repetition: at(null), ip: home },
    { by: 'an address instead of none', rotation: at(null), repetition: at(home), ip: null },
    { by: 'text that is no address', repetition: at('unknown'), ip: home, there: null },
  ])(
    'from $by is served on record, with both places',
    async (
      { rotation, repetition, ip, there = repetition.headers!['CF-Connecting-IP'] ?? null },
      { service, rotated, ada, admin },
    ) => {
      await service.deliver()
      const { lost, successor } = await rotated(rotation)
      const before = await rowOf('sessions', 'user_id = ?', ada.id)
      const { answer, effects, audit } = await observe(service, () => present(lost, repetition))
      expect(expectOk(answer).refresh_token).toBe(successor.refreshToken)
      expect(effects).toEqual(strayOf(ada, ip))
      expect(audit[0]).toMatchObject({ ip: there, user_agent: firefox })
      expect(await rowOf('sessions', 'user_id = ?', ada.id)).toMatchObject({
        ip: before['ip']!,
        network: before['network']!,
      })

      const seen = { type: 'session.refresh_repeated', ip: there, detail: { rotated_ip: ip } }
      const mine = await successor.activity()
      expect(mine.events[0]).toMatchObject({ ...seen, actor: null })
      const { events } = await admin.auditEvents({ type: 'session.refresh_repeated' })
      expect(events).toMatchObject([{ ...seen, user_id: ada.id, actor_id: null }])
    },
  )

  it.for<{ by: string; rotation: Call; repetition: Call }>([
    { by: 'another user agent', rotation: at(home), repetition: at(home, curl) },
    { by: 'another spelling of the user agent', rotation: at(home), repetition: at(home, 'firefox/140') },
    { by: 'no user agent', rotation: at(home), repetition: at(home, null) },
    { by: 'a user agent instead of none', rotation: at(home, null), repetition: at(home) },
    { by: 'another user agent elsewhere', rotation: at(home), repetition: at('198.51.100.9', 'curl/8') },
  ])('from $by is theft', async ({ rotation, repetition }, { service, rotated, ada }) => {
    const { lost, successor } = await rotated(rotation)
    const { answer, effects } = await observe(service, () => present(lost, repetition))
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects).toEqual(theftBy(ada, 'user_agent'))
    await expectEnded(successor)
  })
})

describe('further repetitions of a rotation', () => {
  it('write nothing and get the same successor, from anywhere in its network', async ({ service, rotated }) => {
    const { lost, successor } = await rotated()
    await present(lost, at(home))
    for (const ip of [home, '203.0.113.200', home]) {
      const { answer, effects } = await observe(service, () => present(lost, at(ip)))
      expect(expectOk(answer).refresh_token).toBe(successor.refreshToken)
      expect(effects).toEqual(nothing)
    }
  })

  it('write nothing from the other network either that is on record for it', async ({ service, ada, rotated }) => {
    const { lost, successor } = await rotated()
    const elsewhere = at('198.51.100.9')
    const first = await observe(service, () => present(lost, elsewhere))
    expect(first.effects).toEqual(strayOf(ada, home))
    for (const from of [elsewhere, at('198.51.100.10'), at(home)]) {
      const { answer, effects } = await observe(service, () => present(lost, from))
      expect(expectOk(answer).refresh_token).toBe(successor.refreshToken)
      expect(effects).toEqual(nothing)
    }
  })

  it('from a third network are theft', async ({ service, ada, rotated }) => {
    const { lost } = await rotated()
    await present(lost, at('198.51.100.9'))
    const { answer, effects } = await observe(service, () => present(lost, at('192.0.2.1')))
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects).toEqual(theftBy(ada, 'network'))
  })

  it('from the network that is on record for an earlier rotation are theft', async ({
    clock,
    service,
    ada,
    rotated,
  }) => {
    const elsewhere = at('198.51.100.9')
    const { lost, successor } = await rotated()
    expectOk(await present(lost, elsewhere).answer)
    clock.advance(hour)
    await rotate(successor)
    expectOk(await present(successor, at(home)).answer)
    const { answer, effects } = await observe(service, () => present(successor, elsewhere))
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects).toEqual(theftBy(ada, 'network'))
  })

  it('end with the 30 seconds, on record or not', async ({ clock, service, ada, rotated }) => {
    const { lost } = await rotated()
    await present(lost, at(home))
    await present(lost, at('198.51.100.9'))
    clock.advance(30 * second - 1)
    expectOk(await present(lost, at('198.51.100.9')).answer)
    expectOk(await present(lost, at(home)).answer)
    clock.advance(1)
    const { answer, effects } = await observe(service, () => present(lost, at(home)))
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects).toEqual(theftBy(ada, 'late'))
  })

  it('of twenty at once are one, at home and elsewhere', async ({ people }) => {
    for (let round = 0; round < env.RACE_ROUNDS; round++) {
      for (const [name, ip] of Object.entries({ home, elsewhere: '198.51.100.9' })) {
        const person = await people.signUp(`${name}-${round}@example.com`)
        await present(person, at(home))
        const answers: Answer[] = await Promise.all(Array.from({ length: 20 }, () => present(person, at(ip)).answer))
        expect(answers.map(({ status }) => status)).toEqual(Array<number>(20).fill(200))
        expect(new Set(answers.map(({ json }) => (json as { refresh_token: string }).refresh_token)).size).toBe(1)
        const events = await rowsOf('audit_events', "type = 'session.refresh_repeated' and user_id = ?", person.id)
        expect(events).toHaveLength(name === 'home' ? 0 : 1)
        const row = await rowOf('sessions', 'user_id = ?', person.id)
        expect(row).toMatchObject({ generation: 2, repeated_generation: 2, second_repeat_at: null })
      }
    }
  })
})

/** Rotates and repeats, each so long after the one before. Gives the session, or the last answer if it was refused. */
async function repeatEvery(person: Person, waits: number[], clock: { advance: (ms: number) => void }, from = at(home)) {
  let current = person
  let answer: Answer | undefined
  for (const wait of waits) {
    clock.advance(wait)
    const successor = await rotate(current)
    answer = await present(current, from).answer
    if (answer.status !== 200) return { current: successor, answer }
    current = successor
  }
  return { current, answer: answer! }
}

describe('repeated rotations', () => {
  it('are three in a day, and the fourth is theft', async ({ service, clock, ada }) => {
    const { current } = await repeatEvery(ada, [0, hour, hour], clock)
    clock.advance(hour)
    const successor = await rotate(current)
    const { answer, effects } = await observe(service, () => present(current, at(home)))
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects).toEqual(theftBy(ada, 'repetitions'))
    await expectEnded(successor)
  })

  it('may be a fourth exactly 24 hours after the first, and no moment before', async ({ clock, people }) => {
    for (const early of [1, 0]) {
      const person = await people.signUp(`${early}@example.com`)
      const { answer } = await repeatEvery(person, [0, hour, hour, 22 * hour - early], clock)
      if (early) expectProblem(answer, 401, 'refresh_token_reused')
      else expectOk(answer)
    }
  })

  it('are counted in any 24 hours, not by the day', async ({ clock, ada }) => {
    // The first is a day old at the fourth, but the second to fifth are within four hours.
    const { answer } = await repeatEvery(ada, [0, 22 * hour, hour, hour, hour], clock)
    expectProblem(answer, 401, 'refresh_token_reused')
  })

  it('may be any number when each has a third of a day to itself', async ({ clock, ada }) => {
    const { answer } = await repeatEvery(ada, Array<number>(9).fill(8 * hour), clock)
    expectOk(answer)
  })

  it('are counted once each, however often each is repeated', async ({ clock, ada }) => {
    let current = ada
    for (let rotation = 0; rotation < 3; rotation++) {
      const successor = await rotate(current)
      for (let repetition = 0; repetition < 5; repetition++) expectOk(await present(current, at(home)).answer)
      current = successor
      clock.advance(minute)
    }
    await expectAlive(current.from(at(home)))
  })

  it('from elsewhere are counted among them', async ({ service, clock, ada }) => {
    const { current } = await repeatEvery(ada, [0, hour, hour], clock)
    await rotate(current)
    const { answer, effects } = await observe(service, () => present(current, at('198.51.100.9')))
    expectProblem(answer, 401, 'refresh_token_reused')
    expect(effects).toEqual(theftBy(ada, 'repetitions'))
  })

  it('from elsewhere after one from home are on record and not counted again', async ({ service, clock, ada }) => {
    const { current } = await repeatEvery(ada, [0, hour], clock)
    clock.advance(hour)
    await rotate(current)
    expectOk(await present(current, at(home)).answer)
    const before = await rowOf('sessions')
    clock.advance(second)
    const { answer, effects } = await observe(service, () => present(current, at('198.51.100.9')))
    expectOk(answer)
    expect(effects).toEqual(strayOf(ada, home))
    const { last_repeat_at, second_repeat_at, third_repeat_at } = before
    expect(third_repeat_at).not.toBeNull()
    expect(await rowOf('sessions')).toMatchObject({ last_repeat_at, second_repeat_at, third_repeat_at })
  })

  it('from elsewhere are one in 24 hours; at exactly 24 hours there may be another', async ({ clock, people }) => {
    for (const early of [1, 0]) {
      const person = await people.signUp(`${early}@example.com`)
      const { answer } = await repeatEvery(person, [0, day - early], clock, at('198.51.100.9'))
      if (early) expectProblem(answer, 401, 'refresh_token_reused')
      else expectOk(answer)
    }
  })
})

describe('a thief who polls the list of sessions and repeats after each rotation', () => {
  it.for<{ thief: string; from: Call; served: number; reason: string }>([
    { thief: 'from another country', from: at('198.51.100.9'), served: 1, reason: 'network' },
    { thief: 'with another program', from: at(home, curl), served: 0, reason: 'user_agent' },
    { thief: 'in the same network, as the same browser', from: at(home), served: 3, reason: 'repetitions' },
  ])('($thief) is served $served times at most', async ({ from, served, reason }, { service, clock, ada }) => {
    let owner = ada
    let stolen = 0
    for (let round = 0; round < 300; round++) {
      clock.advance(10 * minute)
      const successor = await rotate(owner)
      const answer: Answer = await present(owner, from).answer
      owner = successor
      if (answer.status !== 200) break
      stolen++
    }
    expect(stolen).toBe(served)
    await expectEnded(owner)
    const [event] = await rowsOf('audit_events', "type = 'session.reuse_detected'")
    expect(JSON.parse(String(event!['detail']))).toMatchObject({ reason })
    await service.deliver()
  })

  it('who rotates first leaves the owner one repetition on record, and is ended by the next', async ({
    service,
    clock,
    ada,
  }) => {
    const elsewhere = at('198.51.100.9')
    const thief = ada.holding(await present(ada, elsewhere))
    const { answer, effects } = await observe(service, () => present(ada, at(home)))
    const owner = ada.holding(expectOk(answer))
    expect(effects).toEqual(strayOf(ada, '198.51.100.9'))
    clock.advance(minute)
    const again = ada.holding(await present(thief, elsewhere))
    await present(owner, at(home)).refused(401, 'refresh_token_reused')
    await expectEnded(again)
  })
})

describe('the reason of a theft', () => {
  it('is superseded for a token before the last', async ({ service, ada }) => {
    await rotate(await rotate(ada))
    const { effects } = await observe(service, () => present(ada, at(home)))
    expect(effects).toEqual(theftBy(ada, 'superseded'))
  })

  it('is late for the last token after 30 seconds', async ({ service, clock, ada }) => {
    await rotate(ada)
    clock.advance(30 * second)
    const { effects } = await observe(service, () => present(ada, at(home)))
    expect(effects).toEqual(theftBy(ada, 'late'))
  })

  it('names the country of the rotation where it is known', async ({ service, ada }) => {
    await present(ada, { ...at(home), country: 'NZ' })
    const { effects, audit } = await observe(service, () => present(ada, { ...at(home, curl), country: 'FR' }))
    expect(effects.events).toMatchObject([{ detail: { rotated_country: 'NZ', rotated_ip: home } }])
    expect(audit[0]).toMatchObject({ country: 'FR', user_agent: curl })
  })
})
