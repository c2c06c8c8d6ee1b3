/** A client of a service whose replica has nothing of what was written since a token was issued. */
import { beforeEach, expect, it } from 'vitest'
import { minute } from '../support/clock.ts'
import { laggingD1 } from '../support/lagging-d1.ts'
import { captureLog } from '../support/log-lines.ts'
import { goodPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { startService } from '../support/service.ts'
import { openWire } from '../../client/src/wire.ts'
import { Browser, email, lostAnswer, url } from './browser.ts'

async function signedIn() {
  const database = laggingD1()
  const browser = new Browser(startService({ env: { DB: database.binding, READ_REPLICAS: 'true' } }))
  await peopleOf(browser.service).signUp(email)
  const { client } = browser.open()
  await client.signIn({ email, password: goodPassword })
  /** Whether the replica answered. */
  const isNearby = async (act: () => Promise<unknown>) => {
    const before = database.answered.length
    await act()
    return database.answered.length > before
  }
  return { browser, client, isNearby, clock: browser.service.clock }
}

beforeEach(() => void captureLog())

it('is answered by the replica, then sees its own change, and goes back to the replica after a refresh', async () => {
  const { client, clock, isNearby } = await signedIn()
  expect(await isNearby(() => client.me())).toBe(true)
  await client.updateMe({ bio: 'mine' })
  expect(await isNearby(() => client.sessions())).toBe(false)
  expect(await client.me()).toMatchObject({ bio: 'mine' })
  clock.advance(10 * minute)
  expect(await isNearby(async () => expect(await client.me()).toMatchObject({ bio: 'mine' }))).toBe(true)
})

it('sees a change whose answer was lost', async () => {
  const { browser, client } = await signedIn()
  browser.incidents.set('/users/me', [lostAnswer])
  await client.updateMe({ bio: 'mine' }).catch(() => undefined)
  expect(await client.me()).toMatchObject({ bio: 'mine' })
})

it('takes no refresh for one that covers a change unless it began afterwards and succeeded', async () => {
  const waiting: { headers: Headers; answer: (status?: number) => void }[] = []
  const wire = openWire(url, (_, init) => {
    const { promise, resolve } = Promise.withResolvers<Response>()
    waiting.push({
      headers: new Headers(init?.headers),
      answer: (status = 200) => resolve(new Response('{}', { status })),
    })
    return promise
  })
  const exchange = async (method: string, path: string, token?: string) => wire.exchange({ method, path }, token)
  const looks = async () => {
    const look = exchange('get', '/users/me', 'token')
    const { headers, answer } = waiting.at(-1)!
    answer()
    await look
    return headers.get('Cache-Control')
  }
  const [change, refresh] = [exchange('patch', '/users/me', 'token'), exchange('post', '/auth/refresh')]
  waiting[0]!.answer()
  await change
  waiting[1]!.answer()
  await refresh
  expect(await looks()).toBe('no-cache')

  const failing = exchange('post', '/auth/refresh')
  waiting.at(-1)!.answer(503)
  await failing
  expect(await looks()).toBe('no-cache')

  const next = exchange('post', '/auth/refresh')
  waiting.at(-1)!.answer()
  await next
  expect(await looks()).toBeNull()
})
