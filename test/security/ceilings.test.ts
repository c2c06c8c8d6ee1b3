/** Nobody fills the database: what one network, one user and all strangers together may leave is bounded. */
import { env } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { ceilings } from '../../src/config/policy.ts'
import { bytesOfUuid } from '../../src/crypto/random.ts'
import { bytesOf, expectProblem } from '../support/answers.ts'
import { type OperationId, documented, takesToken } from '../support/api.ts'
import { Caller } from '../support/caller.ts'
import { day, hour, minute } from '../support/clock.ts'
import { enrolApp } from '../support/factors.ts'
import { it as base } from '../support/fixtures.ts'
import { limitersThat } from '../support/limiters.ts'
import { captureLog } from '../support/log-lines.ts'
import { subjects } from '../support/mails.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { enrolPasskey } from '../support/passkeys.ts'
import { peopleOf } from '../support/population.ts'
import { type Answer, startService } from '../support/service.ts'
import { rowsOf, select, snapshot } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'
import { startTurnstile, turnstileEnv } from '../support/turnstile.ts'

const limits = limitersThat(() => true).env

const it = base
  .extend('limited', async ({ service }) => startService({ beside: service, env: limits }))
  .extend('stranger', async ({ limited }) => new Caller(limited))

const from = (address: string) => ({ headers: { 'CF-Connecting-IP': address } })
const network = [203, 0, 113]
const resets = [...network, 0]
const all = [1]
const userWrites = (id: string) => [...bytesOfUuid(id)]
const factorChanges = (id: string) => [...bytesOfUuid(id), 5]
const passwordChanges = (id: string) => [...bytesOfUuid(id), 1]

/** Sets what is counted for a subject in the period of this length. */
async function setCount(now: Date, periodMs: number, subject: number[], count: number): Promise<void> {
  const period = now.getTime() - (now.getTime() % periodMs)
  await env.DB.prepare('insert or replace into ceilings values (?, ?, ?, ?)')
    .bind(period, Uint8Array.from(subject).buffer, count, new ArrayBuffer(16))
    .run()
}

async function countOf(subject: number[]): Promise<number | undefined> {
  const rows = await select(`select count from ceilings where subject = unhex(?)`, Buffer.from(subject).toString('hex'))
  return rows[0]?.['count'] as number | undefined
}

async function sizeOf(table: string): Promise<number> {
  return (await rowsOf(table)).length
}

describe('a network', () => {
  it('may leave 300 acts a day, of whatever kind and from whichever of its addresses', async ({ stranger, clock }) => {
    for (let place = 0; place < ceilings.networkActsPerDay; place++) {
      const email = `somebody-${place}@example.com`
      const caller = stranger.from(from(`203.0.113.${place % 256}`))
      if (place % 2 === 0) await caller.resendActivation(email)
      else await caller.register({ email, password: goodPassword })
    }
    const sizes = async () => [await sizeOf('emails'), await sizeOf('users')]
    const before = await sizes()
    const log = captureLog()
    const email = 'one-more@example.com'
    for (const refused of [stranger.resendActivation(email), stranger.register({ email, password: goodPassword })]) {
      const answer = await refused.answer
      expectProblem(answer, 429, 'rate_limited')
      expect(answer.headers.get('Retry-After')).toBe(String((12 * hour) / 1000))
    }
    expect(log.entries('rate_limit.exceeded').map(({ reason }) => reason)).toEqual(
      Array.from({ length: 2 }, () => 'network_ceiling'),
    )
    expect(await sizes()).toEqual(before)
    // A reset, another network, and the next day.
    await stranger.requestPasswordReset({ email })
    await stranger.from(from('203.0.114.1')).resendActivation(email)
    clock.advance(12 * hour)
    await stranger.resendActivation(email)
  })

  it('may ask for 50 resets a day besides, for whatever addresses, and no act uses them up', async ({
    stranger,
    ada,
    clock,
  }) => {
    const log = captureLog()
    await setCount(clock.now(), day, network, ceilings.networkActsPerDay)
    for (let place = 0; place < ceilings.networkResetsPerDay; place++) {
      const email = place % 2 ? ada.email : `somebody-${place}@example.com`
      await stranger.from(from(`203.0.113.${place % 256}`)).requestPasswordReset({ email })
    }
    expect(await countOf(network)).toBe(ceilings.networkActsPerDay)
    expect(await countOf(resets)).toBe(ceilings.networkResetsPerDay)
    const before = await snapshot()
    const headers = { 'X-Request-Id': 'same' }
    const [known, unknown] = await Promise.all(
      [ada.email, 'one-more@example.com'].map(
        (email) => stranger.from({ headers }).requestPasswordReset({ email }).answer,
      ),
    )
    expectProblem(known!, 429, 'rate_limited')
    expect(known!.headers.get('Retry-After')).toBe(String((12 * hour) / 1000))
    expect(bytesOf(known!)).toEqual(bytesOf(unknown!))
    expect(log.entries('rate_limit.exceeded').map(({ reason }) => reason)).toEqual(Array(2).fill('network_ceiling'))
    expect(await snapshot()).toEqual(before)
    await stranger.from(from('203.0.114.1')).requestPasswordReset({ email: ada.email })
    clock.advance(12 * hour)
    await stranger.requestPasswordReset({ email: ada.email })
  })

  it('may do everything else when its resets are spent', async ({ stranger, clock }) => {
    await setCount(clock.now(), day, resets, ceilings.networkResetsPerDay)
    await stranger.resendActivation('a@example.com')
    await stranger.register({ email: 'a@example.com', password: goodPassword })
    await stranger.login({ email: 'b@example.com', password: otherPassword }).refused(401, 'invalid_credentials')
  })

  it.for([
    { address: '2001:db8:1:2::1', same: '2001:DB8:1:ffff::2', other: '2001:db8:2::1' },
    { address: '::ffff:198.51.100.1', same: '198.51.100.200', other: '198.51.101.1' },
    { address: 'garbage', same: 'other garbage', other: '198.51.100.1' },
  ])('is counted as one: $address and $same', async ({ address, same, other }, { stranger, clock }) => {
    captureLog()
    const kinds: ((caller: Caller) => { answer: Promise<Answer> })[] = [
      (caller) => caller.resendActivation('a@example.com'),
      (caller) => caller.requestPasswordReset({ email: 'a@example.com' }),
    ]
    for (const ask of kinds) {
      await env.DB.prepare('delete from ceilings').run()
      await ask(stranger.from(from(address))).answer
      const [counted] = await select(
        "select hex(subject) as subject from ceilings where length(subject) <> 1 or subject = x'00'",
      )
      await setCount(clock.now(), day, [...Buffer.from(String(counted!['subject']), 'hex')], 300)
      expectProblem(await ask(stranger.from(from(same))).answer, 429, 'rate_limited')
      expect((await ask(stranger.from(from(other))).answer).status).toBe(202)
    }
  })

  it('has as many acts as CEILING_FACTOR says', async ({ service, clock }) => {
    captureLog()
    const raised = new Caller(startService({ beside: service, env: { ...limits, CEILING_FACTOR: '2' } }))
    await setCount(clock.now(), day, network, 2 * ceilings.networkActsPerDay - 1)
    await raised.resendActivation('a@example.com')
    await raised.resendActivation('b@example.com').refused(429, 'rate_limited')
    await setCount(clock.now(), day, resets, 2 * ceilings.networkResetsPerDay - 1)
    await raised.requestPasswordReset({ email: 'a@example.com' })
    await raised.requestPasswordReset({ email: 'b@example.com' }).refused(429, 'rate_limited')
  })

  it('has no ceiling for a Worker of the same account, which brings no address', async ({ limited, clock }) => {
    await setCount(clock.now(), day, [0], ceilings.networkActsPerDay)
    await setCount(clock.now(), day, [0, 0], ceilings.networkResetsPerDay)
    const worker = new Caller(limited, { withoutAddress: true })
    await worker.resendActivation('a@example.com')
    await worker.requestPasswordReset({ email: 'a@example.com' })
  })

  it.for([
    {
      kind: 'activation emails',
      end: [],
      max: ceilings.networkActsPerDay,
      ask: (caller: Caller, email: string) => caller.resendActivation(email),
    },
    {
      kind: 'resets',
      end: [0],
      max: ceilings.networkResetsPerDay,
      ask: (caller: Caller, email: string) => caller.requestPasswordReset({ email }),
    },
  ])(
    'gets exactly the places that are left when twenty ask for $kind at once',
    async ({ end, max, ask }, { stranger, clock }) => {
      captureLog()
      for (let round = 0; round < 10; round++) {
        const left = 1 + round
        await setCount(clock.now(), day, [198, 51, round, ...end], max - left)
        const before = await sizeOf('emails')
        const caller = stranger.from(from(`198.51.${round}.7`))
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, place) => ask(caller, `${round}-${place}@example.com`).answer),
        )
        expect(answers.filter(({ status }) => status === 202)).toHaveLength(left)
        expect((await sizeOf('emails')) - before).toBe(left)
        expect(await countOf([198, 51, round, ...end])).toBe(max)
      }
    },
  )

  it('resets as many passwords as it solves challenges, where Turnstile is configured', async ({
    service,
    ada,
    clock,
  }) => {
    captureLog()
    const guarded = new Caller(startService({ beside: service, env: { ...limits, ...turnstileEnv } }))
    const { solve } = startTurnstile()
    await setCount(clock.now(), day, resets, ceilings.networkResetsPerDay)
    for (const email of [ada.email, 'unknown@example.com']) {
      const answer = await guarded.requestPasswordReset({ email }).answer
      expectProblem(answer, 422, 'validation_failed')
      expect(answer.json).toMatchObject({ errors: [{ code: 'turnstile_required' }] })
      await guarded.requestPasswordReset({ email, turnstile_token: solve({ action: 'password_reset' }) })
    }
    expect(await countOf(resets)).toBe(ceilings.networkResetsPerDay + 2)
  })
})

describe('the budget of all strangers', () => {
  it('refuses registrations when it is spent, until the hour ends', async ({ stranger, clock }) => {
    captureLog()
    clock.advance(20 * minute)
    await setCount(clock.now(), hour, all, ceilings.strangerKilobytesPerHour)
    const answer = await stranger.register({ email: 'ada@example.com', password: goodPassword }).answer
    expectProblem(answer, 503, 'service_unavailable')
    expect(answer.headers.get('Retry-After')).toBe(String((40 * minute) / 1000))
    expect(await rowsOf('users')).toEqual([])
    expect(await rowsOf('emails')).toEqual([])
    // Emails that somebody may wait for go out.
    await stranger.requestPasswordReset({ email: 'ada@example.com' })
    await stranger.resendActivation('ada@example.com')
    clock.advance(40 * minute)
    await stranger.register({ email: 'ada@example.com', password: goodPassword })
  })

  it('refuses no registration that solved a challenge', async ({ service, clock }) => {
    const guarded = new Caller(startService({ beside: service, env: { ...limits, ...turnstileEnv } }))
    const { solve } = startTurnstile()
    await setCount(clock.now(), hour, all, ceilings.strangerKilobytesPerHour)
    const turnstile_token = solve({ action: 'register' })
    await guarded.register({ email: 'ada@example.com', password: goodPassword, turnstile_token })
  })

  it('counts more for a long registration', async ({ stranger }) => {
    await stranger.register({ email: 'a@example.com', password: goodPassword })
    const short = (await countOf(all))!
    const name = 'n'.repeat(100)
    await stranger.register({ email: 'b@example.com', password: goodPassword, first_name: name, last_name: name })
    expect((await countOf(all))! - short).toBeGreaterThan(short)
  })
})

describe('a signed-in user', () => {
  it('writes no more than the ceiling in a day, whatever the call', async ({ ada, admin, limited, clock }) => {
    const log = captureLog()
    await setCount(clock.now(), day, userWrites(ada.id), ceilings.userWritesPerDay - 1)
    await ada.at(limited).updateMe({ bio: 'the last one' })
    const answer = await ada.at(limited).updateMe({ bio: 'one more' }).answer
    expectProblem(answer, 429, 'rate_limited')
    expect(answer.headers.get('Retry-After')).toBe(String((12 * hour) / 1000))
    expect(await ada.me()).toMatchObject({ bio: 'the last one' })

    await setCount(clock.now(), day, userWrites(admin.id), ceilings.userWritesPerDay)
    const acts: (() => { answer: Promise<Answer> })[] = [
      () => admin.at(limited).moderateProfile(ada, { bio: 'x' }),
      () => admin.at(limited).assignRole(ada, 'MODERATOR'),
      () => admin.at(limited).suspend(ada),
      () => admin.at(limited).reinstate(ada),
      () => admin.at(limited).activateUser(ada),
      () => admin.at(limited).liftEmailSuppression(ada),
    ]
    const before = await snapshot()
    for (const act of acts) expectProblem(await act().answer, 429, 'rate_limited')
    expect(await snapshot()).toEqual(before)
    expect(log.entries('rate_limit.exceeded').map(({ reason }) => reason)).toEqual(
      Array.from({ length: 1 + acts.length }, () => 'user_ceiling'),
    )
  })

  it('has a ceiling of its own for passwords, which a stolen access token cannot use up', async ({
    ada,
    limited,
    clock,
  }) => {
    captureLog()
    const change = { old_password: goodPassword, new_password: otherPassword }
    await setCount(clock.now(), day, userWrites(ada.id), ceilings.userWritesPerDay)
    await ada.at(limited).changePassword(change)
    await setCount(clock.now(), day, passwordChanges(ada.id), ceilings.userWritesPerDay)
    const back = { old_password: otherPassword, new_password: goodPassword }
    await ada.at(limited).changePassword(back).refused(429, 'rate_limited')
  })

  it('has a ceiling of its own for second factors, which a stolen access token cannot use up', async ({
    ada,
    limited,
    clock,
  }) => {
    captureLog()
    await setCount(clock.now(), day, userWrites(ada.id), ceilings.userWritesPerDay)
    const here = ada.at(limited)
    await enrolApp(here)
    await here.renewRecoveryCodes()
    await setCount(clock.now(), day, factorChanges(ada.id), ceilings.userWritesPerDay)
    await here.renewRecoveryCodes().refused(429, 'rate_limited')
  })

  it('renames a passkey below the ceiling for second factors, and above it only to its own name', async ({
    ada,
    eve,
    limited,
    clock,
  }) => {
    captureLog()
    const here = ada.at(limited)
    const { id } = await enrolPasskey(here)
    await setCount(clock.now(), day, factorChanges(ada.id), ceilings.userWritesPerDay - 1)
    await here.renamePasskey(id, 'Laptop')
    const before = await snapshot()
    const answer = await here.renamePasskey(id, 'Phone').answer
    expectProblem(answer, 429, 'rate_limited')
    expect(answer.headers.get('Retry-After')).toBe(String((12 * hour) / 1000))
    expect(await here.renamePasskey(id, 'Laptop')).toMatchObject({ name: 'Laptop' })
    // Not a way to learn of a passkey of somebody else.
    const foreign = await enrolPasskey(eve)
    await here.renamePasskey(foreign.id, 'Phone').refused(404, 'not_found')
    await eve.removePasskey(foreign.id)
    expect((await snapshot()).get('passkeys')).toEqual(before.get('passkeys'))
    clock.advance(12 * hour)
    const later = await here.renewed()
    await proveIn(later, strengths.passkey)
    await later.renamePasskey(id, 'Phone')
  })

  it('calls no more than 60 times a minute to write, from whatever address, and may read', async ({ ada, service }) => {
    const log = captureLog()
    const { env: busy, asked } = limitersThat((key) => key !== ada.id)
    const limited = startService({ beside: service, env: busy })
    const answer = await ada.at(limited).from(from('198.51.100.9')).updateMe({ bio: 'x' }).answer
    expectProblem(answer, 429, 'rate_limited')
    expect(answer.headers.get('Retry-After')).toBe('60')
    expect(asked).toEqual([{ binding: 'LIMIT_USER_WRITES', key: ada.id }])
    expect(log.entries('rate_limit.exceeded')).toMatchObject([{ reason: 'user' }])
    await ada.at(limited).me()
    await ada.at(limited).verify()
  })

  it('is counted at no call to read, also where a permission is needed', async ({ admin, service }) => {
    const { env: busy } = limitersThat((key) => key !== admin.id)
    const limited = startService({ beside: service, env: busy })
    const { accessToken: token } = admin
    const reads = [...documented].filter(([name, { method }]) => method === 'GET' && takesToken(name as OperationId))
    expect(reads.length).toBeGreaterThan(5)
    const counted: string[] = []
    for (const [operation, { method, template }] of reads) {
      const { status } = await limited.call(method, template.replace('{id}', admin.id), { token })
      if (status === 429) counted.push(operation)
    }
    // An export is mailed, so it is a write.
    expect(counted).toEqual(['exportMe'])
  })

  it('is counted at every call to write, but for those with which an owner gets rid of a thief', async ({
    ada,
    service,
  }) => {
    captureLog()
    const { env: busy } = limitersThat((key) => key !== ada.id)
    const limited = startService({ beside: service, env: busy })
    const free: string[] = []
    for (const [operation, { method, template }] of documented) {
      if (method === 'GET' || !takesToken(operation as OperationId)) continue
      // One of the calls ends every session.
      const { accessToken: token } = await ada.signIn()
      const call = await limited.call(method, template.replace('{id}', ada.id), { token, body: {} })
      if (call.status !== 429) free.push(operation)
    }
    const ofFactors = ['addPasskey', 'confirmTotp', 'passkeyEnrolmentOptions', 'removePasskey', 'removeTotp']
    const ofCodes = ['renewRecoveryCodes', 'sendFactorCode', 'startTotp', 'stepUp', 'stepUpOptions']
    const ofSessions = ['changePassword', 'deleteMe', 'endMyOtherSessions', 'endMySession', 'logoutAll']
    expect(free.toSorted()).toEqual([...ofFactors, ...ofCodes, ...ofSessions].toSorted())
    const here = (await ada.signIn()).at(limited)
    await here.endSession(await ada.signIn())
    await here.endOtherSessions()
    await here.changePassword({ old_password: goodPassword, new_password: otherPassword })
    await here.deleteMe(otherPassword)
  })
})

describe('a spent ceiling', () => {
  it('refuses nobody who knows the password or frees space', async ({ people, admin, inbox, service, clock }) => {
    captureLog()
    const limited = startService({ beside: service, env: limits })
    const email = 'ada@example.com'
    const [ada, bob, eve] = [
      await people.signUp(email),
      await people.signUp('bob@example.com'),
      await people.signUp('eve@example.com'),
    ]
    const known = await new Caller(service).login({ email, password: goodPassword })
    const activation = await people.register('new@example.com')
    const reset = await people.resetToken('bob@example.com')
    for (const subject of [network, resets, userWrites(ada.id), userWrites(admin.id), passwordChanges(ada.id)]) {
      await setCount(clock.now(), day, subject, 10 * ceilings.userWritesPerDay)
    }
    await setCount(clock.now(), hour, all, 10 * ceilings.strangerKilobytesPerHour)

    const anybody = new Caller(limited)
    await peopleOf(limited).signIn(email)
    const device = { email, device_token: known.device_token }
    await anybody.login({ ...device, password: otherPassword }).refused(401, 'invalid_credentials')
    await anybody.login({ ...device, password: goodPassword })
    await anybody.requestPasswordReset(device)
    await service.deliver()
    await limited.deliver()
    expect(inbox.newest(email).subject).toBe(subjects.passwordReset)
    await anybody.activate({ token: activation, password: goodPassword })
    await anybody.completePasswordReset({ token: reset, new_password: otherPassword })

    const adaHere = await ada.at(limited).renewed()
    await adaHere.endOtherSessions()
    const other = await peopleOf(limited).signIn(email)
    await adaHere.endSession(other)
    await (await peopleOf(limited).signIn(email)).logout()
    await adaHere.logoutAll()
    await admin.at(limited).startPasswordReset(ada)
    await people.signIn(email)
    await admin.at(limited).endSessionsOf(ada)
    await (await peopleOf(limited).signIn(email)).deleteMe()
    await admin.at(limited).deleteUser(eve)
    expect(await rowsOf('users', 'id in (?, ?)', ada.id, eve.id)).toEqual([])
    expect(await rowsOf('users', 'id = ?', bob.id)).toHaveLength(1)
  })
})

describe('the cleanup', () => {
  it('deletes the counts of days that are over', async ({ service, clock }) => {
    await setCount(clock.now(), day, network, 1)
    clock.advance(day)
    await setCount(clock.now(), day, network, 2)
    await service.runCron('0 * * * *')
    expect(await sizeOf('ceilings')).toBe(2)
    clock.advance(day)
    await service.runCron('0 * * * *')
    expect(await rowsOf('ceilings', 'count > 0')).toMatchObject([{ count: 2 }])
  })
})
