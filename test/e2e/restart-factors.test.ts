/**
 * SIGKILL in calls of second factors and of a change of address: a call that is killed half-way takes effect as a whole or
 * not at all, and nobody is locked out.
 *
 * `E2E_ROUNDS` is the number of moments at which each kind of call is killed: 1 by default, all of them in CI.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type TestContext, after, before, test } from 'node:test'
import type { Tokens } from '../../tools/demo/api.ts'
import { Authenticator, type CreationOptions, type RequestOptions } from '../../tools/demo/authenticator.ts'
import { oneTimeCode } from '../../tools/demo/one-time-code.ts'
import { newPassword } from '../../tools/demo/person.ts'
import { auditCodes, type AuditType } from '../../src/store/schema/audit.ts'
import { MortalService, atCommit, eventsOf, inWrite } from './support/mortal-service.ts'

const timeout = 300_000
/** /proc tells which processes to kill together. */
const skip = existsSync('/proc/self/stat') ? false : 'there is no /proc'

const password = newPassword()
const original = 'ada@example.com'
const tables = ['totps', 'passkeys', 'recovery_codes', 'email_changes']
const moments = [atCommit(1, tables), inWrite(1)].slice(0, Number(process.env['E2E_ROUNDS'] || 1))

let service: MortalService

before(async () => {
  service = await MortalService.prepare()
  await service.startMailbox()
  await service.restart()
  await post('/auth/register', { email: original, password }, 202)
  await tokensOf('/auth/activate', { token: await service.linkTo(original, '/activate'), password })
  await service.worker.kill()
  for (const flow of ['totp', 'code', 'recovery', 'passkey', 'enrol', 'step', 'ask', 'confirm', 'revert']) {
    for (const round of moments.keys()) for (const address of crowd(flow, round)) service.clone(original, address)
  }
})

after(() => service?.end())

interface Person {
  email: string
  token: string
}

interface WithApp extends Person {
  secret: string
  recovery: string
}

interface Flow<P extends Person> {
  path: string
  name: string
  prepare: (email: string) => Promise<P & { body: object }>
  /** What a whole call leaves, as numbers that are all 0 before it and all 1 after it. */
  traces: (person: P) => Record<string, number>
  /** The person goes on, whether the call took effect or not. */
  goOn: (person: P & { body: object }, isDone: boolean) => Promise<void>
}

/** Kills calls of a flow at each moment and looks at what they left. */
async function interrupt<P extends Person>(t: TestContext, flow: Flow<P>): Promise<void> {
  for (const [round, moment] of moments.entries()) {
    await service.restart()
    const people: (P & { body: object })[] = []
    for (const email of crowd(flow.name, round)) people.push(await flow.prepare(email))
    await service.deliverAll()
    const personOf = new Map(people.map((person) => [person.body, person]))
    const isDone = await service.kill(t, moment, {
      path: flow.path,
      bodies: people.map(({ body }) => body),
      token: (body) => personOf.get(body)!.token,
      pauseMs: 15,
      look(body) {
        const traces = flow.traces(personOf.get(body)!)
        const done = Object.values(traces)[0]
        assert.deepEqual(traces, Object.fromEntries(Object.keys(traces).map((name) => [name, done])))
        return done === 1
      },
    })
    await service.restart()
    for (const person of people) await flow.goOn(person, isDone(person.body))
  }
}

test('a killed enrolment of an app is whole or absent', { skip, timeout }, async (t) => {
  await interrupt<Person & { secret: string }>(t, {
    path: '/users/me/totp/confirm',
    name: 'totp',
    async prepare(email) {
      const token = await signIn(email)
      const { secret, setup_token } = await setUp(token)
      return { email, token, secret, body: { setup_token, code: oneTimeCode(secret) } }
    },
    traces: ({ email }) => ({
      app: rowsOf('totps', email),
      event: events('user.factor_added', email),
      codes: rowsOf('recovery_codes', email) / 8,
      factors: service.count('users where factors_id is not null and email = ?', email),
      mail: service.count(`emails where template = 'factor_added' and recipient = ?`, email),
    }),
    async goOn({ email, token, secret }, isDone) {
      if (!isDone) return void (await signIn(email))
      // Nobody saw the codes if the answer was lost. The session may make new ones.
      await post('/users/me/recovery-codes', {}, 200, token)
      const { factor_token } = await askedForFactor(email)
      await tokensOf('/auth/second-factor', { factor_token, totp: oneTimeCode(secret, 1) })
    },
  })
})

test('a killed second step with a code signs in as a whole, and the code counts once', { skip, timeout }, async (t) => {
  await interrupt<WithApp>(t, {
    path: '/auth/second-factor',
    name: 'code',
    async prepare(email) {
      const person = await withApp(email)
      const { factor_token } = await askedForFactor(email)
      return { ...person, body: { factor_token, totp: oneTimeCode(person.secret, 1) } }
    },
    traces: ({ email }) => ({
      session: rowsOf('sessions', email) - 2,
      event: events('user.signed_in', email) - 1,
      used: service.count('totps join users on users.id = user_id where last_used_at is not null and email = ?', email),
    }),
    async goOn({ body }, isDone) {
      await post('/auth/second-factor', body, isDone ? 401 : 200)
    },
  })
})

test(
  'a killed second step with a recovery code takes the code and signs in, or neither',
  { skip, timeout },
  async (t) => {
    await interrupt<WithApp>(t, {
      path: '/auth/second-factor',
      name: 'recovery',
      async prepare(email) {
        const person = await withApp(email)
        const { factor_token } = await askedForFactor(email)
        return { ...person, body: { factor_token, recovery_code: person.recovery } }
      },
      traces: ({ email }) => ({
        session: rowsOf('sessions', email) - 2,
        codes: 8 - rowsOf('recovery_codes', email),
        event: events('user.signed_in', email) - 1,
        mail: service.count(`emails where template = 'recovery_code_used' and recipient = ?`, email),
      }),
      async goOn({ email, recovery, secret, body }, isDone) {
        await post('/auth/second-factor', body, isDone ? 401 : 200)
        const { factor_token } = await askedForFactor(email)
        await post('/auth/second-factor', { factor_token, recovery_code: recovery }, 403)
        await tokensOf('/auth/second-factor', { factor_token, totp: oneTimeCode(secret, 1) })
      },
    })
  },
)

test('a killed sign-in with a passkey may be repeated if it did not happen', { skip, timeout }, async (t) => {
  await interrupt<Person & { authenticator: Authenticator }>(t, {
    path: '/auth/passkey',
    name: 'passkey',
    async prepare(email) {
      const token = await signIn(email)
      const authenticator = new Authenticator(service.api.url)
      await post('/users/me/passkeys', await creation(token, authenticator), 201, token)
      return { email, token, authenticator, body: await assertion(authenticator) }
    },
    traces: ({ email }) => ({
      session: rowsOf('sessions', email) - 2,
      event: events('user.signed_in', email) - 1,
      used: service.count(
        'passkeys join users on users.id = user_id where last_used_at is not null and email = ?',
        email,
      ),
    }),
    async goOn({ authenticator, body }, isDone) {
      await post('/auth/passkey', body, isDone ? 401 : 200)
      await tokensOf('/auth/passkey', await assertion(authenticator))
    },
  })
})

test('a killed enrolment of a passkey is whole or absent', { skip, timeout }, async (t) => {
  await interrupt<Person & { authenticator: Authenticator }>(t, {
    path: '/users/me/passkeys',
    name: 'enrol',
    async prepare(email) {
      const token = await signIn(email)
      const authenticator = new Authenticator(service.api.url)
      return { email, token, authenticator, body: await creation(token, authenticator) }
    },
    traces: ({ email }) => ({
      passkey: rowsOf('passkeys', email),
      event: events('user.factor_added', email),
      codes: rowsOf('recovery_codes', email) / 8,
      mail: service.count(`emails where template = 'factor_added' and recipient = ?`, email),
    }),
    async goOn({ email, authenticator }, isDone) {
      if (isDone) await tokensOf('/auth/passkey', await assertion(authenticator))
      else await signIn(email)
    },
  })
})

test('a killed step-up lifts the session and takes the code, or neither', { skip, timeout }, async (t) => {
  await interrupt<WithApp>(t, {
    path: '/auth/step-up',
    name: 'step',
    async prepare(email) {
      const person = await withApp(email)
      return { ...person, body: { totp: oneTimeCode(person.secret, 1) } }
    },
    traces: ({ email }) => ({
      used: service.count('totps join users on users.id = user_id where last_used_at is not null and email = ?', email),
      event: events('user.stepped_up', email),
    }),
    async goOn({ token, recovery, body }, isDone) {
      await post('/auth/step-up', body, isDone ? 403 : 200, token)
      await post('/auth/step-up', { recovery_code: recovery }, 200, token)
    },
  })
})

test('a killed request for another address mails both mailboxes or neither', { skip, timeout }, async (t) => {
  await interrupt(t, {
    path: '/users/me/email',
    name: 'ask',
    prepare: async (email) => ({ email, token: await signIn(email), body: { email: `new.${email}` } }),
    traces: ({ email }) => ({
      change: rowsOf('email_changes', email),
      event: events('user.email_change_requested', email),
      toNew: service.count('emails where recipient = ?', `new.${email}`),
      toOld: service.count(`emails where template like 'email_change%' and recipient = ?`, email),
    }),
    async goOn({ email, token }, isDone) {
      if (!isDone) await post('/users/me/email', { email: `new.${email}` }, 202, token)
      await service.deliverAll()
      await post(
        '/users/me/email/confirm',
        { token: await service.linkTo(`new.${email}`, '/confirm-email') },
        200,
        token,
      )
      await signIn(`new.${email}`)
    },
  })
})

test('a killed confirmation changes the address as a whole or not at all', { skip, timeout }, async (t) => {
  await interrupt(t, {
    path: '/users/me/email/confirm',
    name: 'confirm',
    async prepare(email) {
      const token = await signIn(email)
      await post('/users/me/email', { email: `new.${email}` }, 202, token)
      return { email, token, body: { token: await service.linkTo(`new.${email}`, '/confirm-email') } }
    },
    traces: ({ email }) => ({
      changed: service.count('users where email = ?', `new.${email}`),
      event: events('user.email_changed', `new.${email}`),
      applied: service.count('email_changes where applied_at is not null and old_email = ?', email),
    }),
    async goOn({ email, token, body }, isDone) {
      await post('/users/me/email/confirm', body, isDone ? 400 : 200, token)
      await signIn(`new.${email}`)
    },
  })
})

test('a killed undoing of a change gives the old address back or leaves the link', { skip, timeout }, async (t) => {
  await interrupt(t, {
    path: '/auth/email/revert',
    name: 'revert',
    async prepare(email) {
      const token = await signIn(email)
      await post('/users/me/email', { email: `new.${email}` }, 202, token)
      await post(
        '/users/me/email/confirm',
        { token: await service.linkTo(`new.${email}`, '/confirm-email') },
        200,
        token,
      )
      return { email, token, body: { token: await service.linkTo(email, '/revert-email') } }
    },
    traces: ({ email }) => ({
      old: service.count('users where email = ?', email),
      event: events('user.email_change_reverted', email),
      noPassword: service.count('users where password_hash is null and email = ?', email),
    }),
    async goOn({ email, token, body }, isDone) {
      await post('/auth/email/revert', body, isDone ? 400 : 204)
      await post('/auth/refresh', { refresh_token: token }, 401)
      await post('/auth/login', { email, password }, 401)
    },
  })
})

test('every kind of call was killed before its answer at least once', { skip }, () => {
  assert.equal(service.lostAnswers.size, 8)
  for (const [path, lost] of service.lostAnswers) assert.ok(lost > 0, path)
})

function crowd(flow: string, round: number): string[] {
  return Array.from({ length: 3 }, (_, index) => `${flow}.${round}.${index}@example.com`)
}

function rowsOf(table: string, email: string): number {
  return service.count(`${table} join users on users.id = user_id where email = ?`, email)
}

function events(type: AuditType, email: string): number {
  return service.count(`${eventsOf} where type = ${auditCodes[type]} and email = ?`, email)
}

async function signIn(email: string): Promise<string> {
  return (await tokensOf('/auth/login', { email, password })).access_token
}

async function setUp(token: string): Promise<{ secret: string; setup_token: string }> {
  return (await post('/users/me/totp', {}, 200, token)) as { secret: string; setup_token: string }
}

/** Signs in and adds an authenticator app. */
async function withApp(email: string): Promise<WithApp> {
  const token = await signIn(email)
  const { secret, setup_token } = await setUp(token)
  const body = { setup_token, code: oneTimeCode(secret) }
  const { recovery_codes } = (await post('/users/me/totp/confirm', body, 201, token)) as { recovery_codes: string[] }
  return { email, token, secret, recovery: recovery_codes[0] ?? '' }
}

async function askedForFactor(email: string): Promise<{ factor_token: string }> {
  return service.api.call('POST', '/auth/login', {
    body: { email, password },
    expect: 403,
    code: 'second_factor_required',
  })
}

async function creation(token: string, authenticator: Authenticator): Promise<object> {
  const options = await post('/users/me/passkeys/options', {}, 200, token)
  const { challenge_token, public_key } = options as { challenge_token: string; public_key: CreationOptions }
  return { challenge_token, credential: authenticator.create(public_key) }
}

async function assertion(authenticator: Authenticator): Promise<object> {
  const options = await post('/auth/passkey/options', {}, 200)
  const { challenge_token, public_key } = options as { challenge_token: string; public_key: RequestOptions }
  return { challenge_token, credential: authenticator.get(public_key) }
}

function post(path: string, body: object, expect: number, token?: string): Promise<unknown> {
  return service.api.call('POST', path, { body, expect, ...(token !== undefined && { token }) })
}

function tokensOf(path: string, body: object): Promise<Tokens> {
  return service.api.call('POST', path, { body, expect: 200 })
}
