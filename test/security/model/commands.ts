/** What can be done, for fast-check to put in any order: each command does it to the model and to the service. */
import * as fc from 'fast-check'
import { decodeJwt } from 'jose'
import { expect } from 'vitest'
import type { Role } from '../../../src/permissions.ts'
import type { Success } from '../../support/api.ts'
import { day, hour, minute, second } from '../../support/clock.ts'
import { addressCommands } from './address-commands.ts'
import {
  address,
  administrationOf,
  bearer,
  command,
  deliverAll,
  generation,
  hasLink,
  hasSession,
  keepDevice,
  newest,
  password,
  passwords,
  pickDevice,
  pickGeneration,
  pickLink,
  pickSession,
  post,
  role,
  tokenOf,
  which,
} from './command.ts'
import { factorCommands } from './factor-commands.ts'
import type { Expected, Link, Place, Session } from './facts.ts'
import type { Model } from './model.ts'
import { type Real, advance, compare, expectSame } from './real.ts'
import { logIn, signInCommands } from './sign-in-commands.ts'
import { hasFactors } from './strength.ts'
import { stepUpCommands } from './step-up-commands.ts'

const people = [
  command<[string, string]>('sign up', [address, password], (email, password) => async (model, real) => {
    await post(real, '/auth/register', { email, password }, model.register(email, password))
    await deliverAll(model, real)
    const link = model.links.at(-1)
    if (link?.account.address === email) await activate(model, real, link, password)
  }),
  command<[string, string]>(
    'register',
    [address, password],
    (email, password) => async (model, real) =>
      post(real, '/auth/register', { email, password }, model.register(email, password)),
  ),
  command<[string]>(
    'resend',
    [address],
    (email) => async (model, real) => post(real, '/auth/resend-activation', { email }, model.resend(email)),
  ),
  command<[string, number | null, number]>(
    'request reset',
    [address, fc.option(which, { freq: 3 }), fc.integer({ min: 1, max: 5 })],
    (email, index, times) => async (model, real) => {
      for (let sent = 0; sent < times; sent++) {
        const device = pickDevice(model, index)
        const body = { email, ...(device && { device_token: device.text }) }
        await post(real, '/auth/password-reset/request', body, model.requestReset(email, device))
        advance(model, real, second)
      }
    },
  ),
  command<[string, string]>(
    'log in',
    [address, password],
    (email, password) => async (model, real) => void (await logIn(model, real, email, password)),
  ),
  command<[string, number]>('log in rightly', [address, which], (email, index) => async (model, real) => {
    const right = model.accountOf(email)?.password ?? passwords[0]
    await logIn(model, real, email, right, { device: pickDevice(model, index) })
  }),
  // One more session than an account may have, with a little room for those that end meanwhile.
  command<[string]>(
    'log in many times',
    [address],
    (email) => async (model, real) => {
      const right = model.accountOf(email)?.password ?? passwords[0]
      for (let times = 0; times < 52; times++) {
        advance(model, real, second)
        await logIn(model, real, email, right)
      }
    },
    // Once in a run: it takes as long as fifty others.
    (model, email) => {
      const account = model.accountOf(email)
      return account?.status === 'active' && !hasFactors(account) && model.sessions.length < 50
    },
  ),
  command<[string, number]>(
    'guess',
    [address, fc.integer({ min: 1, max: 7 })],
    (email, times) => async (model, real) => {
      for (let index = 0; index < times; index++) {
        advance(model, real, second)
        await logIn(model, real, email, 'a wrong password')
      }
    },
  ),
]

const links = [
  command<[number, string]>(
    'activate',
    [which, password],
    (index, password) => async (model, real) => activate(model, real, pickLink(model, 'activation', index), password),
    hasLink,
  ),
  command<[number]>(
    'activate rightly',
    [which],
    (index) => async (model, real) => {
      const link = pickLink(model, 'activation', index)
      await activate(model, real, link, link.attempt?.password ?? passwords[0])
    },
    hasLink,
  ),
  command<[number, string]>(
    'complete reset',
    [which, password],
    (index, new_password) => async (model, real) => {
      const link = pickLink(model, 'reset', index)
      const expected: Expected =
        link.purpose === 'reset' ? model.completeReset(link, new_password) : { outcome: 'invalid_link' }
      await post(real, '/auth/password-reset/complete', { token: link.text, new_password }, expected)
    },
    hasLink,
  ),
]

async function activate(model: Model, real: Real, link: Link, password: string): Promise<void> {
  const expected: Expected =
    link.purpose === 'activation' ? model.activate(link, password) : { outcome: 'invalid_link' }
  const body = { token: link.text, password }
  const { json } = await compare(real, expected, 'POST', '/auth/activate', { body })
  if (expected.session) keepDevice(model, expected.session, json as Success<'activate'>)
}

/** As headers, for a network and a user agent of the model. */
const headersOf = ({ network, agent }: Place) => ({
  'CF-Connecting-IP': { home: '203.0.113.7', office: '198.51.100.9', abroad: '2001:db8::7' }[network],
  ...(agent === 'program' && { 'User-Agent': 'curl/8' }),
})

/** Mostly where sessions begin. */
const place = fc.record<Place>({
  network: fc.oneof(
    { weight: 5, arbitrary: fc.constant('home' as const) },
    fc.constantFrom('office' as const, 'abroad' as const),
  ),
  agent: fc.oneof({ weight: 9, arbitrary: fc.constant('browser' as const) }, fc.constant('program' as const)),
})

async function refresh(model: Model, real: Real, session: Session, generation: number, from: Place): Promise<void> {
  const body = { refresh_token: tokenOf(session, generation) }
  const expected = model.refresh(session, generation, from)
  await compare(real, expected, 'POST', '/auth/refresh', { body, headers: headersOf(from) })
}

const sessions = [
  command<[number, number, Place]>(
    'refresh',
    [which, generation, place],
    (index, older, from) => async (model, real) => {
      const session = pickSession(model, index)
      await refresh(model, real, session, pickGeneration(session, older), from)
    },
    hasSession,
  ),
  command<[number, number, Place[], number]>(
    'repeat a refresh',
    // Up to the last moment at which a lost answer is believed, and from the first at which it is not.
    [
      which,
      fc.constantFrom(0, 29 * second, 30 * second, 31 * second),
      fc.array(place, { minLength: 2, maxLength: 4 }),
      fc.integer({ min: 1, max: 4 }),
    ],
    (index, ms, places, times) => async (model, real) => {
      const session = pickSession(model, index)
      for (let rotation = 0; rotation < times; rotation++) {
        await refresh(model, real, session, 0, places[0]!)
        advance(model, real, rotation === times - 1 ? ms : second)
        for (const from of places.slice(1)) {
          if (session.refreshTokens.length > 1) await refresh(model, real, session, 1, from)
        }
        advance(model, real, second)
      }
    },
    hasSession,
  ),
  command<[number, number]>(
    'log out',
    [which, generation],
    (index, older) => async (model, real) => {
      const session = pickSession(model, index)
      const generation = pickGeneration(session, older)
      const body = { refresh_token: tokenOf(session, generation) }
      await post(real, '/auth/logout', body, model.logout(session, generation))
    },
    hasSession,
  ),
  command<[number]>(
    'log out everywhere',
    [which],
    (index) => async (model, real) => {
      const session = pickSession(model, index)
      await bearer(real, 'POST', '/auth/logout-all', session, model.logoutAll(session))
    },
    hasSession,
  ),
  command<[number]>(
    'end others',
    [which],
    (index) => async (model, real) => {
      const session = pickSession(model, index)
      await bearer(real, 'DELETE', '/users/me/sessions', session, model.endOthers(session))
    },
    hasSession,
  ),
  command<[number, number]>(
    'end one',
    [which, which],
    (index, otherIndex) => async (model, real) => {
      const [session, other] = [pickSession(model, index), pickSession(model, otherIndex)]
      const id = String(decodeJwt(other.access.text)['sid'])
      await bearer(real, 'DELETE', `/users/me/sessions/${id}`, session, model.endOne(session, other))
    },
    hasSession,
  ),
  command<[number]>(
    'look',
    [which],
    (index) => async (model, real) => {
      const session = pickSession(model, index)
      // What it answers may lag, and whether it answers may not.
      await bearer(real, 'GET', '/users/me', session, model.me(session))
      const me = await newest(real, '/users/me', session, model.me(session))
      if (me.status === 200) expectSame(session.account, me.json as Success<'getMe'>)
      await bearer(real, 'GET', '/auth/verify', session, model.verify(session))
      const list = await newest(real, '/users/me/sessions', session, model.list(session))
      if (list.status !== 200) return
      const alive = model.sessions.filter((each) => each.account === session.account && model.isAlive(each))
      expect((list.json as Success<'listMySessions'>).sessions).toHaveLength(alive.length)
    },
    hasSession,
  ),
]

/** `null` stands for the right one; `freq: n` makes one in n of these. */
const rightOr = fc.option(password, { freq: 2, nil: null })
const rightPassword = ({ account }: Session): string => account.password ?? passwords[0]

const own = [
  command<[number, string]>(
    'describe',
    [which, fc.constantFrom('one', 'two')],
    (index, bio) => async (model, real) => {
      const session = pickSession(model, index)
      await bearer(real, 'PATCH', '/users/me', session, model.describe(session, bio), { bio })
    },
    hasSession,
  ),
  command<[number, string | null, string, number | null, Place]>(
    'change password',
    [which, rightOr, password, fc.option(generation, { freq: 2, nil: null }), place],
    (index, given, new_password, older, from) => async (model, real) => {
      const session = pickSession(model, index)
      const old_password = given ?? rightPassword(session)
      const which = older === null ? null : pickGeneration(session, older)
      const body = { old_password, new_password, refresh_token: which === null ? null : tokenOf(session, which) }
      const expected = model.changePassword(session, old_password, new_password, which, from)
      const call = { token: session.access.text, body, headers: headersOf(from) }
      await compare(real, expected, 'POST', '/auth/change-password', call)
    },
    hasSession,
  ),
  command<[number, string | null]>(
    'delete me',
    [which, rightOr],
    (index, given) => async (model, real) => {
      const session = pickSession(model, index)
      const password = given ?? rightPassword(session)
      await bearer(real, 'DELETE', '/users/me', session, model.deleteMe(session, password), { password })
    },
    hasSession,
  ),
]

const administration = [
  command<[string]>('suspend', [address], (email) =>
    administrationOf(email, 'POST', '/suspend', (model, account) => model.suspend(account), { reason: 'model' }),
  ),
  command<[string]>('reinstate', [address], (email) =>
    administrationOf(email, 'POST', '/reinstate', (model, account) => model.reinstate(account)),
  ),
  command<[string, Role]>('assign role', [address, role], (email, role) =>
    administrationOf(email, 'PUT', '/role', (model, account) => model.assignRole(account, role), { role }),
  ),
  command<[string]>('activate by hand', [address], (email) =>
    administrationOf(email, 'POST', '/activate', (model, account) => model.activateByAdmin(account)),
  ),
  command<[string]>('start reset of', [address], (email) =>
    administrationOf(email, 'POST', '/password-reset', (model, account) => model.startReset(account)),
  ),
  command<[string]>('end sessions of', [address], (email) =>
    administrationOf(email, 'DELETE', '/sessions', (model, account) => model.endSessionsOf(account)),
  ),
  command<[string]>('delete', [address], (email) =>
    administrationOf(email, 'DELETE', '', (model, account) => model.deleteAccount(account)),
  ),
]

const deliver = command<[]>('deliver', [], () => deliverAll)

/** Up to the last moment and up to the first beyond it, for the command after the next second. */
const around = (ms: number) => [ms - 3 * second, ms - 2 * second]
const short = [10 * second, 2 * minute, ...around(5 * minute), ...around(10 * minute), ...around(hour)]
const long = [5 * hour, ...around(day), 3 * day, ...around(7 * day), ...around(30 * day)]

const time = [
  command<[number]>('wait', [fc.constantFrom(...short)], (ms) => async (model, real) => advance(model, real, ms)),
  command<[number]>('wait long', [fc.constantFrom(...long)], (ms) => async (model, real) => advance(model, real, ms)),
  command<[]>('clean up', [], () => async (model, real) => {
    model.cleanUp()
    await real.service.runCron('0 * * * *')
  }),
  command<[]>('lose the queue', [], () => async (model, real) => {
    model.loseQueue()
    real.service.queued.length = 0
  }),
  command<[]>('requeue', [], () => async (model, real) => {
    model.requeue()
    await real.service.runCron('*/5 * * * *')
  }),
]

/** More of what leads somewhere: in an even mixture most commands find that there is nothing to do. */
const weights: Partial<Record<string, number>> = {
  register: 2,
  'request reset': 2,
  guess: 2,
  'log in': 2,
  'log in rightly': 6,
  'sign up': 5,
  deliver: 6,
  activate: 3,
  'activate rightly': 3,
  'complete reset': 4,
  refresh: 8,
  'repeat a refresh': 3,
  'end one': 2,
  look: 6,
  'change password': 3,
  'delete me': 2,
  suspend: 2,
  reinstate: 3,
  'activate by hand': 2,
  wait: 5,
  'wait long': 2,
  'clean up': 2,
  'enrol an app': 5,
  'enrol a passkey': 4,
  'trust a device': 4,
  'try to enrol a passkey': 2,
  'confirm an app': 2,
  'sign in with a factor': 8,
  'sign in as staff': 3,
  'pass the second step': 2,
  'sign in on a trusted device': 3,
  'sign in with a passkey': 2,
  'remove a passkey': 2,
  'rename a passkey': 2,
  'log in many times': 3,
  'look at the factors': 2,
  'step up': 5,
  'change the address': 3,
  'undo a change of address': 3,
  'guess codes': 2,
}

const all = [
  ...people,
  deliver,
  ...links,
  ...sessions,
  ...own,
  ...administration,
  ...time,
  ...factorCommands,
  ...signInCommands,
  ...stepUpCommands,
  ...addressCommands,
]

/** How many different ones there are. */
export const commandNames = all.map(({ name }) => name)
export const commands = all.flatMap(({ name, arbitrary }) =>
  Array.from({ length: weights[name] ?? 1 }, () => arbitrary),
)
