/** From 90 % on, strangers leave no more rows: the rest of the database is for known users. */
import { env as bindings } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { expectOk, expectProblem } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { type Answer, startService } from '../support/service.ts'
import { type Sized, sizedD1 } from '../support/sized-d1.ts'
import { nothing, observe } from '../support/state.ts'

const nearlyFull = 9_000_000_000
const email = 'bob@example.com'
const registration = { email, password: goodPassword }

const it = base
  .extend('sized', async (): Promise<Sized> => ({ bytes: nearlyFull }))
  // Beside the intact service, so that people can sign up in that one.
  .extend('tight', async ({ service, sized }) =>
    startService({ beside: service, env: { DB: sizedD1(bindings.DB, sized) } }),
  )
  .extend('stranger', async ({ tight }) => new Caller(tight))

/** The acts of somebody whom nobody knows that leave rows. */
const acts: Record<string, (stranger: Caller) => Promise<Answer>> = {
  registration: (stranger) => stranger.register(registration).answer,
  'another activation email': (stranger) => stranger.resendActivation(email).answer,
  'a reset email': (stranger) => stranger.requestPasswordReset({ email }).answer,
}

describe('a nearly full database', () => {
  it.for(Object.keys(acts))(
    'refuses strangers %s, and keeps nothing of it',
    async (act, { service, ada, tight, stranger }) => {
      const { entries } = captureLog()
      // Any answer tells the size.
      await ada.at(tight).refresh()
      const { answer, effects } = await observe(service, () => acts[act]!(stranger))
      expectProblem(answer, 503, 'service_unavailable')
      expect(answer.headers.get('Retry-After')).toBe('300')
      expect(effects).toEqual(nothing)
      expect(entries('request.unavailable')).toMatchObject([{ reason: 'd1_nearly_full' }])
    },
  )

  it('serves known users as ever', async ({ service, people, ada, tight, inbox, stranger }) => {
    const link = await people.register('carla@example.com')
    const known = ada.at(tight)
    await known.refresh()
    await known.updateMe({ bio: 'Likes tea.' })
    const { device_token } = await stranger.login({ email: ada.email, password: goodPassword })
    await stranger
      .login({ email: ada.email, password: otherPassword, device_token })
      .refused(401, 'invalid_credentials')
    await stranger.activate({ token: link, password: goodPassword })
    // Their device is known by its token.
    await stranger.requestPasswordReset({ email: ada.email, device_token })
    await service.runCron('*/5 * * * *')
    expect(inbox.all(ada.email).length).toBeGreaterThan(1)
  })

  it('answers wrong passwords as ever, alike for everybody, and keeps one event', async ({
    service,
    ada,
    tight,
    stranger,
  }) => {
    captureLog()
    await ada.at(tight).refresh()
    const guess = (address: string) =>
      stranger.login({ email: address, password: otherPassword }).refused(401, 'invalid_credentials')
    const { effects } = await observe(service, async () => {
      for (let attempt = 0; attempt < 20; attempt++) await guess(`nobody-${attempt}@example.com`)
    })
    expect(effects.events).toHaveLength(1)
    await guess(ada.email)
    await stranger.login({ email: ada.email, password: goodPassword })
  })

  it('is noticed without a query, and asked again after a minute', async ({ service, ada, sized, clock }) => {
    const meter = countCosts(bindings)
    const DB = sizedD1(meter.bindings.DB, sized)
    const tight = startService({ beside: service, env: { DB } })
    captureLog()
    const register = async (address: string) =>
      (await tight.call('POST', '/auth/register', { body: { ...registration, email: address } })).status
    await ada.at(tight).refresh()
    meter.take()
    expect(await register('one@example.com')).toBe(503)
    expect(meter.take().roundTrips).toBe(0)
    // Nobody may have made room meanwhile: one act goes through, and its answer tells.
    clock.advance(minute)
    expect(await register('two@example.com')).toBe(202)
    expect(meter.take().roundTrips).toBe(1)
    expect(await register('three@example.com')).toBe(503)
    sized.bytes = nearlyFull - 1
    clock.advance(minute)
    expect([await register('four@example.com'), await register('five@example.com')]).toEqual([202, 202])
  })

  it.for([
    { bytes: 7_999_999_999, d1: 'ok' },
    { bytes: 8_000_000_000, d1: 'filling' },
    { bytes: 8_999_999_999, d1: 'filling' },
    { bytes: nearlyFull, d1: 'nearly_full' },
  ])('is told at /readyz: $bytes bytes are $d1', async ({ bytes, d1 }, { tight, sized }) => {
    sized.bytes = bytes
    const ready = expectOk(await tight.call('GET', '/readyz'))
    expect(ready).toEqual({ status: 'ok', checks: { config: 'ok', d1, kv: 'ok' } })
  })

  it('has room again when rows were deleted, though its file keeps its length', async () => {
    const size = async (sql: string) => (await bindings.DB.prepare(sql).run()).meta.size_after
    const before = await size('select 1')
    await bindings.DB.exec('create table filler (content text)')
    const filled = await size(`insert into filler select hex(zeroblob(1000000))`)
    expect(filled).toBeGreaterThan(before + 2_000_000)
    await size('delete from filler')
    expect(await size('select 1')).toBeLessThan(before + 100_000)
    await bindings.DB.exec('drop table filler')
  })
})
