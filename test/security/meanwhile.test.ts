/**
 * What a request read at its beginning may have changed by the time it writes. These tests do another act exactly between
 * the two, which a race meets only by luck: the write has to decide, and the late request must leave nothing behind.
 */
import { decodeJwt } from 'jose'
import { describe, expect } from 'vitest'
import { expectNoContent, expectOk, expectProblem } from '../support/answers.ts'
import { Caller } from '../support/caller.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { App, enrolApp, factorTokenIn, giveFactors } from '../support/factors.ts'
import { it as base } from '../support/fixtures.ts'
import { interrupt } from '../support/hooked-d1.ts'
import { inboxOf } from '../support/inbox.ts'
import { consume } from '../support/mail-consumer.ts'
import { enrolPasskey, givePasskey } from '../support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import { type Answer, type Service } from '../support/service.ts'
import { type Row, rowOf, rowsOf, snapshot, write } from '../support/state.ts'

const thirdPassword = 'eleven wooden bridges sway'

/** Without the attempt counters: a claimed try stays claimed, whatever becomes of the request. */
async function tables() {
  const all = await snapshot()
  all.delete('attempt_counters')
  return all
}

/** Deletes events, and gives them. */
async function deletedEvents(where: string): Promise<Row[]> {
  const rows = await rowsOf('audit_events', where)
  await write(`delete from audit_events where ${where}`)
  return rows
}

type Act = () => Promise<Answer>

/** The statement that would record an act, or of an act without an event the one that would do it. */
const recording = /^(insert into "(audit_events|emails)"|update "(sessions|passkeys)")/i

/** A service that does something before the statement that would record an act, and the tables as they were then. */
function interrupting(service: Service, meanwhile: Act) {
  let before: Awaited<ReturnType<typeof tables>> | undefined
  const { late, expectInterrupted } = interrupt(service, recording, async () => {
    expect((await meanwhile()).status).toBeLessThan(300)
    before = await tables()
  })
  const tablesThen = () => {
    expectInterrupted()
    return before!
  }
  return { late, tablesThen }
}

/** Calls the late service, does something meanwhile, and tells what the call itself then left behind. */
async function interrupted<A extends Answer>(service: Service, call: (late: Service) => Promise<A>, meanwhile: Act) {
  const { late, tablesThen } = interrupting(service, meanwhile)
  const answer = await call(late)
  const before = tablesThen()
  return { answer, leavesNothing: async () => expect(await tables()).toEqual(before), queued: late.queued }
}

/** Everybody in these tests. `phone` is another session of `ada`. */
interface Cast {
  people: People
  admin: Person
  ada: Person
  phone: Person
  eve: Person
}

const it = base.extend('cast', async ({ people, admin, ada, eve }): Promise<Cast> => ({
  people,
  admin,
  ada,
  phone: await ada.signIn(),
  eve,
}))

interface ActOf<Actor> {
  act: string
  run: (actor: Actor, cast: Cast) => Promise<Answer>
}

const change = { old_password: goodPassword, new_password: otherPassword }

const passwordActs: ActOf<Person>[] = [
  { act: 'a change of the password', run: (ada) => ada.changePassword(change).answer },
  { act: 'a deletion of the account', run: (ada) => ada.deleteMe(goodPassword).answer },
]

/** What an act needs is made before the actor's request. */
interface PreparedAct {
  act: string
  prepare: (actor: Person, cast: Cast) => Promise<(late: Person) => Promise<Answer>>
}

const factorActs: PreparedAct[] = [
  {
    act: 'a request for another address',
    prepare: async () => (late) => late.changeEmail('ada.new@example.com').answer,
  },
  {
    act: 'a change of the address',
    async prepare(ada) {
      await ada.changeEmail('ada.new@example.com')
      await ada.service.deliver()
      const token = inboxOf(ada.service).linkToken('ada.new@example.com')
      return (late) => late.confirmEmail(token).answer
    },
  },
  { act: 'an export', prepare: async () => (late) => late.exportMe().answer },
  {
    act: 'a first authenticator app',
    async prepare(ada) {
      const { setup_token, secret } = await ada.startTotp()
      const code = new App(secret, ada.service.clock).code()
      return (late) => late.confirmTotp({ setup_token, code }).answer
    },
  },
  {
    act: 'the end of an authenticator app',
    prepare: async (ada) => (await enrolApp(ada), (late) => late.removeTotp().answer),
  },
  {
    act: 'new recovery codes',
    prepare: async (ada) => (await enrolApp(ada), (late) => late.renewRecoveryCodes().answer),
  },
  {
    act: 'a first passkey',
    async prepare(ada) {
      const { challenge_token, public_key } = await ada.passkeyEnrolmentOptions()
      const credential = await createAuthenticator().create(public_key)
      return (late) => late.addPasskey({ challenge_token, credential }).answer
    },
  },
  {
    act: 'another name of a passkey',
    async prepare(ada) {
      const { id } = await enrolPasskey(ada)
      return (late) => late.renamePasskey(id, 'late').answer
    },
  },
  {
    act: 'the end of a passkey',
    async prepare(ada) {
      const { id } = await enrolPasskey(ada)
      return (late) => late.removePasskey(id).answer
    },
  },
  {
    act: 'a code for a first factor',
    prepare: async () => (late) => late.sendFactorCode().answer,
  },
  {
    act: 'a step-up by a code',
    async prepare(ada) {
      const { app } = await giveFactors(ada.id, ada.service.clock)
      return (late) => late.stepUp({ totp: app.code() }).answer
    },
  },
  {
    act: 'a step-up by a password',
    prepare: async () => (late) => late.stepUp({ password: goodPassword }).answer,
  },
]

const ownActs: ActOf<Person>[] = [
  { act: 'a change of the profile', run: (ada) => ada.updateMe({ bio: 'late' }).answer },
  { act: 'the end of another session', run: (ada, { phone }) => ada.endSession(phone).answer },
  { act: 'the end of all other sessions', run: (ada) => ada.endOtherSessions().answer },
  { act: 'a log-out everywhere', run: (ada) => ada.logoutAll().answer },
  ...passwordActs,
]

const ends: { end: string; run: (cast: Cast) => Promise<Answer> }[] = [
  { end: 'its session was ended', run: ({ ada }) => ada.logout().answer },
  { end: 'its user was suspended', run: ({ ada, admin }) => admin.suspend(ada).answer },
  { end: 'its user was deleted', run: ({ ada, admin }) => admin.deleteUser(ada).answer },
]

describe('an act on the own account', () => {
  for (const { act, run } of ownActs) {
    it.for(ends)(`(${act}) is refused when $end meanwhile`, async ({ run: end }, { service, cast }) => {
      const { answer, leavesNothing, queued } = await interrupted(
        service,
        (late) => run(cast.ada.at(late), cast),
        () => end(cast),
      )
      expectProblem(answer, 401, 'invalid_token')
      await leavesNothing()
      expect(queued).toEqual([])
    })
  }

  for (const { act, prepare } of factorActs) {
    it.for(ends)(`(${act}) is refused when $end meanwhile`, async ({ run: end }, { service, cast }) => {
      const run = await prepare(cast.ada, cast)
      await service.deliver()
      const { answer, leavesNothing, queued } = await interrupted(
        service,
        (late) => run(cast.ada.at(late)),
        () => end(cast),
      )
      expectProblem(answer, 401, 'invalid_token')
      await leavesNothing()
      expect(queued).toEqual([])
    })
  }

  it.for([
    ...passwordActs,
    { act: 'a step-up by the password', run: (ada: Person) => ada.stepUp({ password: goodPassword }).answer },
  ])(
    '($act) is refused when the same session has changed its password meanwhile',
    async ({ run }, { service, people, cast }) => {
      const { ada } = cast
      const { answer, leavesNothing } = await interrupted(
        service,
        (late) => run(ada.at(late), cast),
        () => ada.changePassword({ old_password: goodPassword, new_password: thirdPassword }).answer,
      )
      expectProblem(answer, 401, 'invalid_token')
      await leavesNothing()
      await people.signIn(ada.email, thirdPassword)
    },
  )
})

describe('a sign-in with the right password', () => {
  const reset = async ({ people, ada }: Cast) => {
    const token = await people.resetToken(ada.email)
    return ada.completePasswordReset({ token, new_password: otherPassword }).answer
  }
  const suspend = ({ admin, ada }: Cast) => admin.suspend(ada).answer

  it.for<{ change: string; run: (cast: Cast) => Promise<Answer>; status: number; code: string }>([
    {
      change: 'it was changed',
      run: ({ phone }) => phone.changePassword(change).answer,
      status: 401,
      code: 'invalid_credentials',
    },
    { change: 'it was reset', run: reset, status: 401, code: 'invalid_credentials' },
    {
      change: 'its account was deleted',
      run: ({ admin, ada }) => admin.deleteUser(ada).answer,
      status: 401,
      code: 'invalid_credentials',
    },
    { change: 'its account was suspended', run: suspend, status: 403, code: 'account_suspended' },
    {
      change: 'it was reset and its account suspended',
      run: async (cast) => {
        await reset(cast)
        return suspend(cast)
      },
      status: 401,
      code: 'invalid_credentials',
    },
  ])(
    'is refused when $change meanwhile, and leaves only a refusal in the trail',
    async ({ change: name, run, status, code }, { service, anonymous, cast }) => {
      const { email, id } = cast.ada
      const { answer, leavesNothing } = await interrupted(
        service,
        (late) => anonymous.at(late).login({ email, password: goodPassword }).answer,
        () => run(cast),
      )
      expectProblem(answer, status, code)
      const userId = name === 'its account was deleted' ? null : id
      const detail = JSON.stringify({ reason: 'changed_meanwhile' })
      expect(await deletedEvents("type = 'user.sign_in_refused'")).toMatchObject([
        { actor_id: null, user_id: userId, detail },
      ])
      await leavesNothing()
    },
  )

  it('gets the role that its user was given meanwhile', async ({ service, anonymous, admin, ada }) => {
    const { answer } = await interrupted(
      service,
      (late) => anonymous.at(late).login({ email: ada.email, password: goodPassword }).answer,
      () => admin.assignRole(ada, 'MODERATOR').answer,
    )
    const { user, access_token: token } = expectOk(answer)
    expect(user.role).toBe('MODERATOR')
    expect(decodeJwt(token)['role']).toBe('MODERATOR')
  })
})

describe('a proof besides the password', () => {
  const proofs: { proof: string; prepare: (cast: Cast) => Promise<(late: Caller) => Promise<Answer>> }[] = [
    {
      proof: 'a passkey',
      async prepare({ ada }) {
        const { authenticator } = await givePasskey(ada)
        const { challenge_token, public_key } = await ada.passkeySignInOptions()
        const body = { challenge_token, credential: await authenticator.get(public_key) }
        return (late) => late.signInWithPasskey(body).answer
      },
    },
    {
      proof: 'a code',
      async prepare({ ada }) {
        const { app } = await giveFactors(ada.id, ada.service.clock)
        const body = { factor_token: await ask(ada), totp: app.code() }
        return (late) => late.secondFactor(body).answer
      },
    },
    {
      proof: 'a recovery code',
      async prepare({ ada }) {
        const { recoveryCodes } = await giveFactors(ada.id, ada.service.clock)
        const body = { factor_token: await ask(ada), recovery_code: recoveryCodes[0]! }
        return (late) => late.secondFactor(body).answer
      },
    },
  ]
  const ask = async (ada: Person) =>
    factorTokenIn(await ada.login({ email: ada.email, password: goodPassword }).refused(403, 'second_factor_required'))

  const losses: { loss: string; lose: (cast: Cast) => Promise<Answer> }[] = [
    { loss: 'its account was suspended', lose: ({ admin, ada }) => admin.suspend(ada).answer },
    { loss: 'its account was deleted', lose: ({ admin, ada }) => admin.deleteUser(ada).answer },
    { loss: 'its factors were reset', lose: ({ admin, ada }) => admin.resetFactors(ada).answer },
  ]
  for (const { proof, prepare } of proofs) {
    it.for(losses)(
      `(${proof}) starts no session when $loss meanwhile, and leaves a refusal at most`,
      async ({ lose }, { service, anonymous, cast }) => {
        const show = await prepare(cast)
        await service.deliver()
        const refusals = "type in ('user.sign_in_refused', 'user.second_factor_refused')"
        // That of the password, which asked for the factor.
        await deletedEvents(refusals)
        const { answer, leavesNothing } = await interrupted(
          service,
          (late) => show(anonymous.at(late)),
          () => lose(cast),
        )
        expect([401, 403]).toContain(answer.status)
        expect(answer.json).not.toHaveProperty('access_token')
        expect((await deletedEvents(refusals)).length).toBeLessThanOrEqual(1)
        await leavesNothing()
      },
    )
  }
})

const actsOnEve: ActOf<Person>[] = [
  { act: 'a change of a profile', run: (actor, { eve }) => actor.moderateProfile(eve, { bio: 'late' }).answer },
  { act: 'a change of a role', run: (actor, { eve }) => actor.assignRole(eve, 'ADMIN').answer },
  { act: 'a suspension', run: (actor, { eve }) => actor.suspend(eve, 'late').answer },
  { act: 'a reset for somebody', run: (actor, { eve }) => actor.startPasswordReset(eve).answer },
  { act: 'the end of somebody’s sessions', run: (actor, { eve }) => actor.endSessionsOf(eve).answer },
  { act: 'a reset of somebody’s factors', run: (actor, { eve }) => actor.resetFactors(eve).answer },
  { act: 'a deletion', run: (actor, { eve }) => actor.deleteUser(eve).answer },
]

describe('an act on somebody else', () => {
  const losses: { loss: string; lose: (actor: Person, admin: Person) => Promise<Answer> }[] = [
    { loss: 'lost the role', lose: (actor, admin) => admin.assignRole(actor, 'USER').answer },
    { loss: 'was suspended', lose: (actor, admin) => admin.suspend(actor, 'x').answer },
    { loss: 'logged out', lose: (actor) => actor.logout().answer },
  ]
  for (const { act, run } of actsOnEve) {
    it.for(losses)(
      `(${act}) is refused when the ADMIN $loss meanwhile`,
      async ({ lose }, { service, people, cast }) => {
        const actor = await people.signUpAs('ADMIN', 'second@example.com')
        await giveFactors(cast.eve.id, service.clock)
        await service.deliver()
        const { answer, leavesNothing, queued } = await interrupted(
          service,
          (late) => run(actor.at(late), cast),
          () => lose(actor, cast.admin),
        )
        expectProblem(answer, 401, 'invalid_token')
        await leavesNothing()
        expect(queued).toEqual([])
      },
    )
  }

  it.for(actsOnEve.filter(({ act }) => ['a change of a profile', 'a suspension'].includes(act)))(
    '($act) by a MODERATOR is refused when its target became one meanwhile',
    async ({ run }, { service, moderator, cast }) => {
      const { answer, leavesNothing } = await interrupted(
        service,
        (late) => run(moderator.at(late), cast),
        () => cast.admin.assignRole(cast.eve, 'MODERATOR').answer,
      )
      expectProblem(answer, 403, 'insufficient_permission')
      await leavesNothing()
    },
  )
})

const email = 'new@example.com'

type Done = 'suspended' | 'deleted' | 'activated'

const byAdmin: Record<Done, (admin: Person, id: string) => Promise<Answer>> = {
  suspended: (admin, id) => admin.suspend(id).answer,
  deleted: (admin, id) => admin.deleteUser(id).answer,
  activated: (admin, id) => admin.activateUser(id).answer,
}

/** The id of the account with that address. */
const idOfAccount = async () => String((await rowOf('users', 'email = ?', email))['id'])

/** What the owner of a pending account does with a link, once it has been mailed. */
const linkActs: Record<string, (people: People) => Promise<(late: Caller) => Promise<Answer>>> = {
  'an activation': async (people) => {
    const token = await people.register(email)
    return (late) => late.activate({ token, password: goodPassword }).answer
  },
  'a reset': async (people) => {
    await people.register(email)
    const token = await people.resetToken(email)
    return (late) => late.completePasswordReset({ token, new_password: otherPassword }).answer
  },
}

describe('an act by a link', () => {
  /** The act, in the middle of which an ADMIN does something to the account. */
  const linked = it.extend('whileAdmin', async ({ service, people, admin }) => async (act: string, done: Done) => {
    const send = await linkActs[act]!(people)
    const id = await idOfAccount()
    return interrupted(
      service,
      (late) => send(new Caller(late)),
      () => byAdmin[done](admin, id),
    )
  })

  linked.for<{ act: string; done: Done }>([
    { act: 'an activation', done: 'suspended' },
    { act: 'an activation', done: 'deleted' },
    { act: 'an activation', done: 'activated' },
    { act: 'a reset', done: 'deleted' },
    { act: 'a reset', done: 'activated' },
  ])('($act) is refused when an ADMIN has $done the account meanwhile', async ({ act, done }, { whileAdmin }) => {
    const { answer, leavesNothing, queued } = await whileAdmin(act, done)
    expectProblem(answer, 400, 'invalid_link')
    await leavesNothing()
    expect(queued).toEqual([])
  })

  linked('(a reset) leaves an account suspended that an ADMIN has suspended meanwhile', async ({ whileAdmin }) => {
    const { answer } = await whileAdmin('a reset', 'suspended')
    expectNoContent(answer)
    expect(await rowOf('users', 'email = ?', email)).toMatchObject({
      status: 'suspended',
      activated_at: expect.any(Number),
    })
  })
})

describe('a link', () => {
  const requests: Record<string, (anonymous: Caller, people: People) => Promise<unknown>> = {
    'a registration': (anonymous) => anonymous.register({ email, password: goodPassword }),
    'another activation email': async (anonymous, people) => {
      await people.register(email)
      await anonymous.resendActivation(email)
    },
    'a reset': async (anonymous, people) => {
      await people.register(email)
      await anonymous.requestPasswordReset({ email })
    },
  }

  it.for<{ request: string; done: Done }>([
    { request: 'a registration', done: 'activated' },
    { request: 'a registration', done: 'deleted' },
    { request: 'another activation email', done: 'activated' },
    { request: 'another activation email', done: 'deleted' },
    { request: 'a reset', done: 'deleted' },
  ])(
    '(of $request) is neither made nor sent when an ADMIN has $done the account since delivery began',
    async ({ request, done }, { service, people, anonymous, admin }) => {
      await requests[request]!(anonymous, people)
      const emailsBefore = service.mailbox.mails()
      const id = await idOfAccount()
      const jobs = service.queued.splice(0)
      const { late, tablesThen } = interrupting(service, () => byAdmin[done](admin, id))
      expect(await consume(late, jobs)).toEqual(['acked'])

      const [before, after] = [tablesThen(), await tables()]
      for (const each of [before, after]) each.delete('emails')
      expect(after).toEqual(before)
      expect(service.mailbox.mails()).toEqual(emailsBefore)
    },
  )
})

describe('the role of the first ADMIN', () => {
  const address = 'admin@example.com'

  // Only the interrupted service has the bootstrap address.
  it.override('options', { env: { BOOTSTRAP_ADMIN_EMAIL: '' } })

  it('is not given when the password changes during the sign-in', async ({ service, people, anonymous }) => {
    const person = await people.signUp(address)
    const { answer } = await interrupted(
      service,
      (late) => anonymous.at(late).login({ email: address, password: goodPassword }).answer,
      () => person.changePassword(change).answer,
    )
    expectProblem(answer, 401, 'invalid_credentials')
    expect(await rowOf('users')).toMatchObject({ role: 'USER', status: 'active' })
    expect(await rowsOf('audit_events', "type = 'user.role_changed'")).toEqual([])
  })

  it('is not given when a reset activates the account during its activation', async ({
    service,
    people,
    anonymous,
  }) => {
    const token = await people.register(address)
    const resetToken = await people.resetToken(address)
    const { answer, leavesNothing } = await interrupted(
      service,
      (late) => anonymous.at(late).activate({ token, password: goodPassword }).answer,
      () => anonymous.completePasswordReset({ token: resetToken, new_password: otherPassword }).answer,
    )
    expectProblem(answer, 400, 'invalid_link')
    await leavesNothing()
    expect(await rowOf('users')).toMatchObject({ role: 'USER', status: 'active' })
  })
})
