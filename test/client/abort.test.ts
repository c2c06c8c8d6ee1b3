/** An abort ends the wait of its caller at once, wherever the call is, and nobody else's. */
import { describe, expect, it } from 'vitest'
import type { Client } from '../../client/src/client.ts'
import { minute } from '../support/clock.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { Browser, type Incident, email, signIn, signedIn } from './browser.ts'

/** An answer that does not come until it is let through. */
function held() {
  let reached = () => {}
  let pass = () => {}
  let end = () => {}
  const isDone = new Promise<void>((resolve) => (end = resolve))
  const isReached = new Promise<void>((resolve) => (reached = resolve))
  const isPassed = new Promise<void>((resolve) => (pass = resolve))
  const incident: Incident = async (go) => {
    reached()
    await isPassed
    const response = await go()
    end()
    return response
  }
  return { incident, isReached, isDone, pass }
}

const options = (signal: AbortSignal) => ({ signal })
const calls: Record<string, { path: string; call: (client: Client, signal: AbortSignal) => Promise<unknown> }> = {
  me: { path: '/users/me', call: ({ me }, signal) => me(options(signal)) },
  updateMe: { path: '/users/me', call: ({ updateMe }, signal) => updateMe({ bio: 'x' }, options(signal)) },
  sessions: { path: '/users/me/sessions', call: ({ sessions }, signal) => sessions(options(signal)) },
  activity: { path: '/users/me/activity', call: ({ activity }, signal) => activity({}, options(signal)) },
  'admin.users': { path: '/users', call: ({ admin }, signal) => admin.users({}, options(signal)) },
  request: { path: '/roles', call: ({ request }, signal) => request('get', '/roles', options(signal)) },
  fetch: { path: '/roles', call: ({ fetch }, signal) => fetch('/roles', options(signal)) },
  'fetch of a Request': {
    path: '/notes',
    call: ({ fetch }, signal) => fetch(new Request('https://accounts.example.com/notes', options(signal))),
  },
  signIn: {
    path: '/auth/login',
    call: ({ signIn }, signal) => signIn({ email, password: goodPassword }, options(signal)),
  },
  signUp: { path: '/auth/register', call: ({ signUp }, signal) => signUp({ email, password: '' }, options(signal)) },
  signOut: { path: '/auth/logout', call: ({ signOut }, signal) => signOut(options(signal)) },
  changePassword: {
    path: '/auth/change-password',
    call: ({ changePassword }, signal) =>
      changePassword({ old_password: goodPassword, new_password: otherPassword }, options(signal)),
  },
}

describe.each(Object.entries(calls))('%s', (_, { path, call }) => {
  it.each(['an abort', 'a timeout', 'a reason of the app'])(
    'rejects with the reason of its signal: %s',
    async (kind) => {
      const reasons: Record<string, unknown> = {
        'an abort': new DOMException('x', 'AbortError'),
        'a timeout': new DOMException('x', 'TimeoutError'),
        'a reason of the app': 'left the page',
      }
      const { browser, client } = await signedIn()
      const { incident, isReached, pass } = held()
      browser.incidents.set(path, [incident])
      const controller = new AbortController()
      const answer = call(client, controller.signal).then(
        () => 'an answer',
        (error: unknown) => error,
      )
      await isReached
      controller.abort(reasons[kind])
      expect(await answer).toBe(reasons[kind])
      pass()
      expect(await call(client, controller.signal).catch((error: unknown) => error)).toBe(reasons[kind])
    },
  )
})

describe.each(['bearer', 'cookie'] as const)('a refresh that hangs, with the transport %s', (transport) => {
  const waiting: Record<string, (client: Client, signal: AbortSignal) => Promise<unknown>> = {
    me: ({ me }, signal) => me({ signal }),
    restore: ({ restore }, signal) => restore({ signal }),
    accessToken: ({ accessToken }, signal) => accessToken({ signal }),
    fetch: ({ fetch }, signal) => fetch('/roles', { signal }),
  }

  it('is not waited for after an abort, goes on for everybody else, and sends nothing for who left', async () => {
    const { browser, client, service } = await signedIn({ transport })
    service.clock.advance(10 * minute)
    const { incident, isReached, pass } = held()
    browser.incidents.set('/auth/refresh', [incident])
    const stays = client.sessions()
    const controllers = Object.values(waiting).map((call) => {
      const controller = new AbortController()
      return { controller, answer: call(client, controller.signal).catch((error: unknown) => error) }
    })
    await isReached
    for (const [index, { controller, answer }] of controllers.entries()) {
      controller.abort(index)
      expect(await answer).toBe(index)
    }
    pass()
    expect(await stays).not.toHaveLength(0)
    expect(browser.asked('/auth/refresh')).toHaveLength(1)
    expect(browser.asked('/users/me').concat(browser.asked('/roles'))).toEqual([])
    expect(await client.me()).toMatchObject({ email })
  })
})

it('an abort does not lose the tokens that a new password brings', async () => {
  const { browser, client, service } = await signedIn()
  const { incident, isReached, isDone, pass } = held()
  browser.incidents.set('/auth/change-password', [incident])
  const controller = new AbortController()
  const passwords = { old_password: goodPassword, new_password: otherPassword }
  const change = client.changePassword(passwords, { signal: controller.signal }).catch((error: unknown) => error)
  await isReached
  controller.abort('gone')
  expect(await change).toBe('gone')
  pass()
  await isDone
  service.clock.advance(10 * minute)
  expect(await client.me()).toMatchObject({ email })
  expect(await signIn(new Browser(service).open().client, email, otherPassword)).toMatchObject({ email })
})
