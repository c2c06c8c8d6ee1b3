/** When access tokens are renewed: clocks are set, machines sleep, and answers take long. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { day, hour, minute, second } from '../support/clock.ts'
import { goodPassword } from '../support/person.ts'
import { type Incident, email, signedIn } from './browser.ts'

/** What the clock of the device shows besides the true time, and what the page has been awake for. */
let skewMs: number
let awakeMs: number

beforeEach(() => {
  skewMs = 0
  awakeMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => awakeMs)
})

async function onDevice(transport: 'bearer' | 'cookie') {
  const started = await signedIn()
  const { browser, service } = started
  const now = () => service.clock.now().getTime() + skewMs
  const open = () => browser.open({ transport, now }).client
  const client = open()
  await client.signIn({ email, password: goodPassword })
  const pass = (ms: number) => {
    service.clock.advance(ms)
    awakeMs += ms
  }
  /** Fails for a token that the service refuses, and says how many refreshes there were. */
  const refreshes = async (from = client) => {
    browser.requests.length = 0
    const token = await from.accessToken()
    const answer = await service.answer('GET', '/users/me', { token })
    expect(answer.status).toBe(200)
    return browser.asked('/auth/refresh').length
  }
  return { ...started, client, open, pass, refreshes }
}

describe.each(['bearer', 'cookie'] as const)('with the transport %s', (transport) => {
  it.each([hour, day, 9 * minute, 30 * second])(
    'hands out no dead token after the clock is set back by %i ms',
    async (ms) => {
      const { pass, refreshes } = await onDevice(transport)
      pass(5 * minute)
      expect(await refreshes()).toBe(0)
      skewMs -= ms
      for (let round = 0; round < 8; round++) {
        await refreshes()
        pass(2 * minute)
      }
      pass(10 * minute)
      expect(await refreshes()).toBe(1)
    },
  )

  it.each([hour, 365 * day])(
    'needs one refresh after the clock is set forward by %i ms, and none after that',
    async (ms) => {
      const { pass, refreshes } = await onDevice(transport)
      skewMs += ms
      expect(await refreshes()).toBe(1)
      expect(await refreshes()).toBe(0)
      pass(minute)
      expect(await refreshes()).toBe(0)
      skewMs -= ms
      expect(await refreshes()).toBe(1)
      expect(await refreshes()).toBe(0)
    },
  )

  it.each([-3 * hour, 3 * hour, -20 * 365 * day])(
    'needs no more refreshes on a clock that is wrong by %i ms',
    async (ms) => {
      skewMs = ms
      const { pass, refreshes } = await onDevice(transport)
      for (let round = 0; round < 4; round++) {
        expect(await refreshes()).toBe(round === 0 || round === 2 ? (round === 0 ? 0 : 1) : 0)
        pass(round % 2 ? 10 * minute : minute)
      }
    },
  )

  it('refreshes after sleep, whether the page was awake or the clock moved', async () => {
    const { service, pass, refreshes } = await onDevice(transport)
    service.clock.advance(8 * hour)
    expect(await refreshes()).toBe(1)
    awakeMs += 8 * hour
    expect(await refreshes()).toBe(1)
    pass(minute)
    expect(await refreshes()).toBe(0)
  })

  it('counts the life of a token from its request, so that a long way of the answer does not add to it', async () => {
    const { browser, pass, refreshes, client } = await onDevice(transport)
    pass(10 * minute)
    const slow: Incident = async (go) => {
      const response = await go()
      pass(10 * minute)
      return response
    }
    browser.incidents.set('/auth/refresh', [slow])
    await client.accessToken().catch(() => undefined)
    expect(await refreshes()).toBe(1)
  })

  it('believes no answer that promises more than the token itself', async () => {
    const { browser, pass, refreshes, client } = await onDevice(transport)
    pass(10 * minute)
    browser.incidents.set('/auth/refresh', [
      async (go) => {
        const body = await (await go()).json<object>()
        return Response.json({ ...body, expires_in: 365 * 24 * 3600 })
      },
    ])
    await client.accessToken()
    pass(10 * minute)
    expect(await refreshes()).toBe(1)
  })
})

it('a later page does not trust a token that was stored by a clock since set back', async () => {
  const { pass, refreshes, open } = await onDevice('bearer')
  pass(minute)
  skewMs -= hour
  awakeMs = 0
  expect(await refreshes(open())).toBe(1)
})
