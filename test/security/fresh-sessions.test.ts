/** Calls that need a recent proof in the same session (RFC 9470; OWASP ASVS 7.5.1, 7.5.3). */
import { describe, expect } from 'vitest'
import { expectProblem } from '../support/answers.ts'
import type { Input, OperationId } from '../support/api.ts'
import { protectedCalls } from '../support/calls.ts'
import { minute, second } from '../support/clock.ts'
import { App, giveFactors } from '../support/factors.ts'
import { it as base } from '../support/fixtures.ts'
import { hookedD1, interrupt } from '../support/hooked-d1.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { givePasskey } from '../support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { type Answer, startService } from '../support/service.ts'
import { nothing, observe, write } from '../support/state.ts'
import { giveFactor, proveIn, strengths, takePassword } from '../support/strength.ts'

const ofTwoFactors = 'Bearer error="insufficient_user_authentication", max_age="600", acr_values="urn:postern:2 phr"'
const ofAnyProof =
  'Bearer error="insufficient_user_authentication", max_age="600", acr_values="urn:postern:1 urn:postern:2 phr"'

function expectStale(answer: Answer, challenge = ofTwoFactors): void {
  expectProblem(answer, 401, 'insufficient_user_authentication')
  expect(answer.headers.get('WWW-Authenticate')).toBe(challenge)
}

interface Freshness {
  name: string
  operation: OperationId
  /** What the call is about, made in a fresh session. */
  prepare?: (actor: Person) => Promise<Input>
  run: (actor: Person, target: Person, prepared: Input) => Promise<Answer>
  /** It writes nothing, so no write decides. */
  isRead?: true
  /** What an account without factors has to show: a recent sign-in, or nothing that it does not show today. */
  withoutFactor: 'fresh' | 'as before'
}

const givenPasskey = async (actor: Person) => ({ id: (await givePasskey(actor)).passkey.id })

const changes = { old_password: goodPassword, new_password: otherPassword }
/** Every call that needs a step-up. A test finds those that have no row here. */
const calls: Freshness[] = [
  {
    name: 'a request for another address',
    operation: 'changeEmail',
    run: (actor) => actor.changeEmail('actor.new@example.com').answer,
    withoutFactor: 'fresh',
  },
  {
    name: 'an export of the own account',
    operation: 'exportMe',
    run: (actor) => actor.exportMe().answer,
    withoutFactor: 'fresh',
  },
  {
    name: 'a new role for somebody',
    operation: 'assignRole',
    run: (actor, target) => actor.assignRole(target, 'MODERATOR').answer,
    withoutFactor: 'as before',
  },
  {
    name: 'a reset of the password of somebody',
    operation: 'startPasswordReset',
    run: (actor, target) => actor.startPasswordReset(target).answer,
    withoutFactor: 'as before',
  },
  {
    name: 'the deletion of somebody',
    operation: 'deleteUser',
    run: (actor, target) => actor.deleteUser(target).answer,
    withoutFactor: 'as before',
  },
  {
    name: 'a reset of the factors of somebody',
    operation: 'resetFactors',
    run: (actor, target) => actor.resetFactors(target).answer,
    withoutFactor: 'as before',
  },
  {
    name: 'the setup of an authenticator app',
    operation: 'startTotp',
    run: (actor) => actor.startTotp().answer,
    isRead: true,
    withoutFactor: 'fresh',
  },
  {
    name: 'a new authenticator app',
    operation: 'confirmTotp',
    async prepare(actor) {
      const { setup_token, secret } = await actor.startTotp()
      return { body: { setup_token, code: new App(secret, actor.service.clock).code() } }
    },
    run: (actor, _target, prepared) => actor.call('confirmTotp', prepared).answer,
    withoutFactor: 'fresh',
  },
  {
    name: 'the end of an authenticator app',
    operation: 'removeTotp',
    prepare: async (actor) => (await giveFactors(actor.id, actor.service.clock), {}),
    run: (actor) => actor.removeTotp().answer,
    withoutFactor: 'fresh',
  },
  {
    name: 'new recovery codes',
    operation: 'renewRecoveryCodes',
    run: (actor) => actor.renewRecoveryCodes().answer,
    withoutFactor: 'fresh',
  },
  {
    name: 'options for a new passkey',
    operation: 'passkeyEnrolmentOptions',
    run: (actor) => actor.passkeyEnrolmentOptions().answer,
    isRead: true,
    withoutFactor: 'fresh',
  },
  {
    name: 'a new passkey',
    operation: 'addPasskey',
    async prepare(actor) {
      const { challenge_token, public_key } = await actor.passkeyEnrolmentOptions()
      return { body: { challenge_token, credential: await createAuthenticator().create(public_key) } }
    },
    run: (actor, _target, prepared) => actor.call('addPasskey', prepared).answer,
    withoutFactor: 'fresh',
  },
  {
    name: 'another name of a passkey',
    operation: 'renamePasskey',
    prepare: async (actor) => ({ ...(await givenPasskey(actor)), body: { name: 'Laptop' } }),
    run: (actor, _target, prepared) => actor.call('renamePasskey', prepared).answer,
    withoutFactor: 'fresh',
  },
  {
    name: 'the end of a passkey',
    operation: 'removePasskey',
    prepare: givenPasskey,
    run: (actor, _target, prepared) => actor.call('removePasskey', prepared).answer,
    withoutFactor: 'fresh',
  },
  {
    name: 'a change of the own password',
    operation: 'changePassword',
    run: (actor) => actor.changePassword(changes).answer,
    withoutFactor: 'as before',
  },
  {
    name: 'the deletion of the own account',
    operation: 'deleteMe',
    run: (actor) => actor.deleteMe(goodPassword).answer,
    withoutFactor: 'as before',
  },
]
const passwordCalls = calls.slice(-2)

/** An ADMIN with a factor, besides the one who keeps the service from having none. */
const it = base
  .extend('actor', async ({ people }) => {
    const actor = await people.signUpAs('ADMIN', 'actor@example.com')
    await giveFactor(actor)
    return actor
  })
  .extend('passwordless', async ({ people }) => {
    const person = await people.signUp('passwordless@example.com')
    await takePassword(person)
    return person
  })

/** What the call is about. Then the session is what a test makes of it. */
async function prepared({ prepare }: Freshness, actor: Person): Promise<Input> {
  await proveIn(actor, strengths.passkey)
  const input = (await prepare?.(actor)) ?? {}
  await actor.service.deliver()
  return input
}

describe.for(calls)('$name', (call) => {
  const { run, withoutFactor, isRead } = call
  it.for([
    { state: 'the password alone, a moment ago', amr: strengths.password, agoMs: 0 },
    { state: 'the factor, more than ten minutes ago', amr: strengths.code, agoMs: 10 * minute + 1 },
    { state: 'a passkey, more than ten minutes ago', amr: strengths.passkey, agoMs: 10 * minute + 1 },
  ])('is refused after $state, and nothing is changed or counted', async ({ amr, agoMs }, { service, actor, ada }) => {
    const input = await prepared(call, actor)
    await proveIn(actor, amr, agoMs)
    const { answer, effects } = await observe(service, () => run(actor, ada, input))
    expectStale(answer)
    expect(effects).toEqual(nothing)
  })

  it.for([
    { state: 'a code', amr: strengths.code },
    { state: 'a passkey', amr: strengths.passkey },
  ])('is done ten minutes after $state', async ({ amr }, { actor, ada }) => {
    const input = await prepared(call, actor)
    await proveIn(actor, amr, 10 * minute)
    expect((await run(actor, ada, input)).status).toBeLessThan(300)
  })

  it('is refused when the proof becomes too old after it was read', async ({ service, clock, actor, ada }) => {
    const input = await prepared(call, actor)
    await proveIn(actor, strengths.code, 10 * minute - second)
    let wasRead = false
    const db = hookedD1(
      service.env.DB,
      () => undefined,
      () => {
        if (!wasRead) clock.advance(2 * second)
        wasRead = true
      },
    )
    const late = startService({ beside: service, env: { DB: db } })
    const { answer, effects } = await observe(service, () => run(actor.at(late), ada, input))
    expectStale(answer)
    expect({ ...effects, rows: Object.keys(effects.rows).filter((table) => table !== 'attempt_counters') }).toEqual({
      ...nothing,
      rows: [],
    })
  })

  it.skipIf(isRead)(
    'is decided by the write: a proof that is gone by then does not count',
    async ({ service, actor, ada }) => {
      const input = await prepared(call, actor)
      await proveIn(actor, strengths.code)
      const { late } = interrupt(service, /^insert into "audit_events"/, () => proveIn(actor, strengths.password))
      const { answer, effects } = await observe(service, () => run(actor.at(late), ada, input))
      expectStale(answer)
      expect(effects).toMatchObject({ events: [], mails: [], revoked: [] })
      expect(effects.rows).toMatchObject({ sessions: '~1' })
      expect(Object.keys(effects.rows).filter((table) => !['sessions', 'attempt_counters'].includes(table))).toEqual([])
    },
  )

  it('is asked of an account without factors as the table says', async ({ people, ada }) => {
    const plain = await people.signUpAs('ADMIN', 'plain@example.com')
    const input = await prepared(call, plain)
    await write('update users set factors_id = null where id = ?', plain.id)
    await proveIn(plain, strengths.password, 10 * minute + 1)
    const answer = await run(plain, ada, input)
    if (withoutFactor === 'fresh') expectStale(answer, ofAnyProof)
    else expect(answer.status).toBeLessThan(300)
  })
})

describe('a session that is not fresh', () => {
  it('is asked for a proof by these calls and by no other', async ({ service, actor }) => {
    const asking: string[] = []
    // This one ends the session.
    const isLast = ({ operationId }: { operationId: string }) => operationId === 'logoutAll'
    const inOrder = [...protectedCalls.filter((call) => !isLast(call)), ...protectedCalls.filter(isLast)]
    for (const { operationId, method, path, body } of inOrder) {
      await proveIn(actor, strengths.code, 10 * minute + 1)
      const { status, json } = await service.call(method, path, { token: actor.accessToken, ...(body && { body }) })
      if ((json as { code?: string } | null)?.code === 'insufficient_user_authentication') asking.push(operationId)
      else expect(status, operationId).not.toBe(401)
    }
    expect(asking.toSorted()).toEqual(calls.map(({ operation }) => operation).toSorted())
  })
})

describe('a call that takes the password', () => {
  it.for(passwordCalls)(
    '($name) counts no try when something else refuses the call',
    async ({ run }, { anonymous, actor, ada }) => {
      await proveIn(actor, strengths.password)
      for (let time = 0; time < 120; time++) expectStale(await run(actor, ada, {}))
      // The right password is taken, so none was counted.
      await anonymous.login({ email: actor.email, password: goodPassword }).refused(403, 'second_factor_required')
    },
  )

  const without: { name: string; run: (person: Person) => Promise<Answer>; pointer: string }[] = [
    {
      name: 'a first password',
      run: (person) => person.call('changePassword', { body: { new_password: otherPassword } }).answer,
      pointer: '/old_password',
    },
    {
      name: 'a deletion of the own account',
      run: (person) => person.call('deleteMe', { body: {} }).answer,
      pointer: '/password',
    },
  ]

  it.for(without)('($name) asks for none where the account has none', async ({ run }, { passwordless }) => {
    await proveIn(passwordless, strengths.password, 10 * minute)
    expect((await run(passwordless)).status).toBe(204)
  })

  it.for(without)(
    '($name) asks for the factor instead, if there is one',
    async ({ run }, { service, passwordless }) => {
      await giveFactor(passwordless)
      await proveIn(passwordless, strengths.password)
      const { answer, effects } = await observe(service, () => run(passwordless))
      expectStale(answer)
      expect(effects).toEqual(nothing)
      await proveIn(passwordless, strengths.passkey)
      expect((await run(passwordless)).status).toBe(204)
    },
  )

  it.for(without)(
    '($name) is refused without a password in a session that is not fresh',
    async ({ run }, { service, passwordless }) => {
      await proveIn(passwordless, strengths.password, 10 * minute + 1)
      const { answer, effects } = await observe(service, () => run(passwordless))
      expectStale(answer, ofAnyProof)
      expect(effects).toEqual(nothing)
    },
  )

  it.for(without)(
    '($name) needs the password where there is one, fresh or not',
    async ({ run, pointer }, { service, ada }) => {
      const { answer, effects } = await observe(service, () => run(ada))
      expectProblem(answer, 422, 'validation_failed')
      expect(answer.json).toMatchObject({ errors: [{ pointer, code: 'required' }] })
      expect(effects).toEqual(nothing)
    },
  )

  it.for(without)(
    '($name) is refused when a password was set meanwhile',
    async ({ run }, { service, passwordless }) => {
      await service.deliver()
      const { late, expectInterrupted } = interrupt(service, /^insert into "audit_events"/, () =>
        // A new password always has a new id.
        write('update users set password_id = ? where id = ?', passwordless.sessionId, passwordless.id),
      )
      expectProblem(await run(passwordless.at(late)), 401, 'invalid_token')
      expectInterrupted()
    },
  )
})
