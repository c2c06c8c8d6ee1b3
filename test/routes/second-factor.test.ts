/** Sign-in with a second factor: what is asked after the right password, and what the answer to it does. */
import { base64url, decodeJwt, decodeProtectedHeader } from 'jose'
import { describe, expect } from 'vitest'
import type { components } from '../../client/src/api.ts'
import { expectInvalid, expectOk, expectProblem, sessionOf, signInAnswer, userObject } from '../support/answers.ts'
import type { Caller } from '../support/caller.ts'
import { minute, second } from '../support/clock.ts'
import { type GivenFactors, enrolApp, factorTokenIn, giveFactors } from '../support/factors.ts'
import { it as plainIt } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { givePasskey } from '../support/passkeys.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import { setFactorAttempts } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, rowOf, rowsOf, write } from '../support/state.ts'

/** Ada has an authenticator app and recovery codes. `owner` is Ada, where a test shows none of them. */
const it = plainIt
  .extend('factors', async ({ ada, clock }) => giveFactors(ada.id, clock))
  .extend('owner', async ({ ada, clock }) => {
    await giveFactors(ada.id, clock)
    return ada
  })

const credentials = { email: 'ada@example.com', password: goodPassword }

/** The factor token after the right password. */
async function ask(caller: Caller, more: object = {}): Promise<string> {
  const body = { ...credentials, ...more }
  return factorTokenIn(await caller.call('login', { body }).refused(403, 'second_factor_required'))
}

async function signIn(caller: Caller, { app }: GivenFactors, more: object = {}) {
  const body = { factor_token: await ask(caller), totp: app.code(), ...more }
  return caller.call('secondFactor', { body })
}

/** The detail of the event with which a session began. */
async function signInDetail(accessToken: string, type = 'user.signed_in'): Promise<unknown> {
  const detail = "json_extract(detail, '$.session_id') = ?"
  const event = await rowOf('audit_events', `type = ? and ${detail}`, type, sessionOf(accessToken))
  return JSON.parse(String(event['detail']))
}

const counter = (id: string) => rowsOf('attempt_counters', 'key = ?', `factor:${id}`)

describe('POST /auth/login of an account with second factors', () => {
  it('asks for one of them after the right password, on record, and starts no session', async ({
    service,
    anonymous,
    owner,
  }) => {
    const { answer, effects } = await observe(service, () => anonymous.login(credentials))
    expectProblem(answer, 403, 'second_factor_required')
    expect(answer.json).toMatchObject({ factors: ['totp', 'recovery_code'], passkey: null, expires_in: 300 })
    expect(answer.headers.get('Set-Cookie')).toBeNull()
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1' },
      events: [
        { type: 'user.sign_in_refused', actor: null, user: owner.id, detail: { reason: 'second_factor_required' } },
      ],
    })
  })

  it('gives a token for five minutes that is no other kind of token', async ({ anonymous, owner }) => {
    const token = await ask(anonymous)
    const { iat = 0, exp = 0, ...claims } = decodeJwt(token)
    expect(exp - iat).toBe(300)
    expect(claims).toMatchObject({ sub: owner.id })
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'factor+jwt', alg: 'HS256' })
    await anonymous.from({ token }).me().refused(401, 'invalid_token')
    await anonymous.refresh(token).refused(401, 'invalid_refresh_token')
    await ask(anonymous, { device_token: token, trust_token: token })
  })

  it('records many of them in an hour in one event', async ({ anonymous, owner }) => {
    for (let round = 0; round < 3; round++) await ask(anonymous)
    const event = await rowOf('audit_events', "type = 'user.sign_in_refused' and user_id = ?", owner.id)
    expect(JSON.parse(String(event['detail']))).toEqual({ reason: 'second_factor_required', count: 3 })
  })

  it('ends the series of wrong passwords, but not that of wrong codes', async ({ anonymous, ada, factors }) => {
    await anonymous.login({ ...credentials, password: otherPassword }).refused(401, 'invalid_credentials')
    const body = { factor_token: await ask(anonymous), totp: factors.app.wrongCode() }
    await anonymous.secondFactor(body).refused(403, 'wrong_second_factor')
    await ask(anonymous)
    expect(await rowsOf('attempt_counters')).toMatchObject([{ key: `factor:${ada.id}`, count: 1 }])
  })

  it('hashes the password again when it is due, and never over a new password', async ({
    service,
    anonymous,
    owner,
  }) => {
    const costlier = startService({ beside: service, platform: { work: { rounds: 2, iterations: 1000 } } })
    const hashOf = async () => (await rowOf('users', 'id = ?', owner.id))['password_hash']
    const first = await hashOf()
    await ask(anonymous.at(costlier))
    const second = await hashOf()
    expect(second).not.toBe(first)
    await ask(anonymous.at(costlier))
    expect(await hashOf()).toBe(second)
  })

  it('asks only for what the account has', async ({ anonymous, ada, factors }) => {
    await write('delete from totps where user_id = ?', ada.id)
    const asked = await anonymous.login(credentials).refused(403, 'second_factor_required')
    expect(asked).toMatchObject({ factors: ['recovery_code'] })
    const [code] = factors.recoveryCodes
    await anonymous.secondFactor({ factor_token: factorTokenIn(asked), recovery_code: code! })
  })
})

describe('POST /auth/second-factor', () => {
  it('signs in with a code of the app, and the session knows it', async ({
    service,
    anonymous,
    clock,
    ada,
    factors,
  }) => {
    const factorToken = await ask(anonymous)
    clock.advance(second)
    const body = { factor_token: factorToken, totp: factors.app.code() }
    const { answer, effects } = await observe(service, () => anonymous.secondFactor(body))
    const tokens = expectOk(answer)
    expect(tokens).toEqual(signInAnswer(userObject({ id: ada.id, email: ada.email })))
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', sessions: '+1', users: '~1', attempt_counters: '+1', totps: '~1' },
      events: [
        {
          type: 'user.signed_in',
          actor: ada.id,
          user: ada.id,
          detail: { session_id: sessionOf(tokens.access_token), kind: 'totp' },
        },
      ],
    })
    const session = await rowOf('sessions', 'id = ?', sessionOf(tokens.access_token))
    expect(JSON.parse(String(session['amr']))).toEqual(['pwd', 'otp', 'mfa'])
    await anonymous.from({ token: tokens.access_token }).me()
    await anonymous.refresh(tokens.refresh_token!)
  })

  it('takes a code in two groups of digits', async ({ anonymous, factors }) => {
    const code = factors.app.code()
    const totp = `${code.slice(0, 3)} ${code.slice(3)}`
    await anonymous.secondFactor({ factor_token: await ask(anonymous), totp })
  })

  it('signs in with a recovery code once, and mails how many are left', async ({
    service,
    anonymous,
    ada,
    factors,
  }) => {
    const [code] = factors.recoveryCodes
    const body = async () => ({ factor_token: await ask(anonymous), recovery_code: code!.toLowerCase() })
    const first = await body()
    const { effects } = await observe(service, () => anonymous.secondFactor(first))
    expect(effects.events[1]).toMatchObject({ detail: { kind: 'recovery_code' } })
    expect(effects.mails).toEqual([`${ada.email}: A recovery code of your Postern account was used`])
    expect(effects.events.map(({ type }) => type)).toEqual(['user.recovery_code_used', 'user.signed_in'])
    await anonymous.secondFactor(await body()).refused(403, 'wrong_second_factor')
  })

  it('takes each code of the app once, also for another sign-in', async ({ anonymous, factors }) => {
    const code = factors.app.code()
    await anonymous.secondFactor({ factor_token: await ask(anonymous), totp: code })
    await anonymous.secondFactor({ factor_token: await ask(anonymous), totp: code }).refused(403, 'wrong_second_factor')
  })

  it('takes each factor token once, with whatever factor, also after the session has ended', async ({
    anonymous,
    clock,
    factors,
  }) => {
    const [code, other] = factors.recoveryCodes
    const factorToken = await ask(anonymous)
    const tokens = await anonymous.secondFactor({ factor_token: factorToken, totp: factors.app.code() })
    const again = { factor_token: factorToken, recovery_code: code! }
    await anonymous.secondFactor(again).refused(401, 'invalid_factor_token')
    await anonymous.logout(tokens.refresh_token!)
    clock.advance(minute)
    await anonymous.secondFactor(again).refused(401, 'invalid_factor_token')
    // Neither code was used up by that.
    await anonymous.secondFactor({ factor_token: await ask(anonymous), recovery_code: code! })
    await anonymous.secondFactor({ factor_token: await ask(anonymous), recovery_code: other! })
  })

  it('completes two sign-ins that were begun at once, in any order', async ({ anonymous, clock, factors }) => {
    const [first, second_] = [await ask(anonymous), await ask(anonymous)]
    await anonymous.secondFactor({ factor_token: second_, totp: factors.app.code() })
    clock.advance(30 * second)
    await anonymous.secondFactor({ factor_token: first, totp: factors.app.code() })
  })

  it('remembers the newest sixteen factor tokens, and counts older ones as used', async ({
    anonymous,
    clock,
    ada,
    factors,
  }) => {
    const tokens: string[] = []
    for (let index = 0; index < 18; index++) {
      tokens.push(await ask(anonymous))
      clock.advance(1)
    }
    const [oldest, ...others] = tokens
    const use = async (token: string) => {
      await write('update totps set last_step = 0 where user_id = ?', ada.id)
      return anonymous.secondFactor({ factor_token: token, totp: factors.app.code() })
    }
    for (const token of others) await use(token)
    await write('update totps set last_step = 0 where user_id = ?', ada.id)
    const late = { factor_token: oldest!, totp: factors.app.code() }
    await anonymous.secondFactor(late).refused(401, 'invalid_factor_token')
    const [row] = await counter(ada.id)
    expect(JSON.parse(String(row!['used_tokens']))).toHaveLength(16)
    await use(await ask(anonymous))
    clock.advance(5 * minute + 1)
    await use(await ask(anonymous))
    const [after] = await counter(ada.id)
    expect(JSON.parse(String(after!['used_tokens']))).toHaveLength(1)
  })

  it('refuses a wrong code on record, and the factor token stays good', async ({
    service,
    anonymous,
    ada,
    factors,
  }) => {
    const factorToken = await ask(anonymous)
    const wrong = { factor_token: factorToken, totp: factors.app.wrongCode() }
    const { answer, effects } = await observe(service, () => anonymous.secondFactor(wrong))
    expectProblem(answer, 403, 'wrong_second_factor')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1', attempt_counters: '+1' },
      events: [
        { type: 'user.second_factor_refused', actor: null, user: ada.id, detail: { reason: 'wrong_second_factor' } },
      ],
    })
    await anonymous.secondFactor({ factor_token: factorToken, totp: factors.app.code() })
    expect(await counter(ada.id)).toMatchObject([{ count: 0, in_flight: 0 }])
  })

  it('lets five wrong codes in a row pass without a wait, across factor tokens, and mails the owner', async ({
    service,
    inbox,
    anonymous,
    clock,
    ada,
    factors,
  }) => {
    captureLog()
    for (let attempt = 0; attempt < 5; attempt++) {
      const body = { factor_token: await ask(anonymous), totp: factors.app.wrongCode() }
      await anonymous.secondFactor(body).refused(403, 'wrong_second_factor')
    }
    await service.deliver()
    expect(inbox.newest(ada.email).subject).toBe('Wrong codes for your Postern account')
    const right = async () => ({ factor_token: await ask(anonymous), totp: factors.app.code() })
    const { headers } = await anonymous.secondFactor(await right()).answer
    expect(headers.get('Retry-After')).toBe('1')
    clock.advance(second)
    await anonymous.secondFactor(await right())
    expect(await counter(ada.id)).toMatchObject([{ count: 0 }])
  })

  it('tells the owner again of ten wrong codes in a row, and of a hundred', async ({
    service,
    anonymous,
    ada,
    factors,
  }) => {
    for (const count of [9, 99]) {
      await setFactorAttempts(ada.id, count)
      const body = { factor_token: await ask(anonymous), totp: factors.app.wrongCode() }
      const { effects } = await observe(service, () => anonymous.secondFactor(body))
      expect(effects.mails).toEqual([`${ada.email}: Wrong codes for your Postern account`])
    }
  })

  it('lets a right recovery code pass a spent budget, and gives a wrong one the 429', async ({
    service,
    anonymous,
    ada,
    factors,
  }) => {
    const log = captureLog()
    const [code] = factors.recoveryCodes
    for (const count of [20, 100]) {
      await setFactorAttempts(ada.id, count, new Date(service.clock.now().getTime() + 10 * minute))
      const factorToken = await ask(anonymous)
      const totp = { factor_token: factorToken, totp: factors.app.code() }
      await anonymous.secondFactor(totp).refused(429, 'rate_limited')
      const wrong = { factor_token: factorToken, recovery_code: '0000-0000-0000-0000-0000-0000' }
      const { answer, effects } = await observe(service, () => anonymous.secondFactor(wrong))
      expectProblem(answer, 429, 'rate_limited')
      expect(effects).toEqual(nothing)
    }
    await anonymous.secondFactor({ factor_token: await ask(anonymous), recovery_code: code! })
    expect(await counter(ada.id)).toMatchObject([{ count: 0 }])
    const refusal = { level: 'warn', route: '/auth/second-factor', reason: 'factor_attempts' }
    expect(log.entries('lock_out.refused')).toMatchObject(Array.from({ length: 4 }, () => refusal))
    expect(log.entries('rate_limit.exceeded')).toEqual([])
    await anonymous.secondFactor({ factor_token: await ask(anonymous), totp: factors.app.code() })
  })

  it('takes the first code of a new app after a hundred wrong ones of the old app', async ({
    anonymous,
    clock,
    ada,
    factors,
  }) => {
    const body = { factor_token: await ask(anonymous), recovery_code: factors.recoveryCodes[0]! }
    const strong = ada.holding(await anonymous.secondFactor(body))
    await setFactorAttempts(ada.id, 100, new Date(4_000_000_000_000))
    const { app } = await enrolApp(strong)
    clock.advance(30 * second)
    await anonymous.secondFactor({ factor_token: await ask(anonymous), totp: app.code() })
  })

  it('gives one answer to every factor token that is not good, and counts nothing', async ({
    service,
    anonymous,
    clock,
    ada,
    factors,
  }) => {
    const expired = await ask(anonymous)
    clock.advance(5 * minute)
    const good = await ask(anonymous)
    const refused = async (token: string) => {
      const body = { factor_token: token, totp: factors.app.code() }
      const { answer, effects } = await observe(service, () => anonymous.secondFactor(body))
      expectProblem(answer, 401, 'invalid_factor_token')
      expect(effects).toEqual(nothing)
      return answer.text.replace(/"request_id":"[^"]*"/, '')
    }
    const device = await anonymous.secondFactor({ factor_token: good, totp: factors.app.code() })
    clock.advance(30 * second)
    const afterwards = await ask(anonymous)
    const texts = [
      await refused(expired),
      await refused(good),
      await refused(`${afterwards}x`),
      await refused('nonsense'),
      await refused(device.device_token),
      await refused(device.access_token),
    ]
    const change = async (statement: string) => {
      await write(statement, ada.id)
      texts.push(await refused(afterwards))
    }
    await change("update users set status = 'suspended' where id = ?")
    await write("update users set status = 'active' where id = ?", ada.id)
    await change("update users set factors_id = '01936f6e-0000-7000-8000-000000000000' where id = ?")
    await change('update users set factors_id = null where id = ?')
    expect(new Set(texts).size).toBe(1)
  })

  it('refuses a factor token after a change of the password', async ({ anonymous, ada, factors }) => {
    const factorToken = await ask(anonymous)
    await write("update users set password_id = '01936f6e-0000-7000-8000-000000000000' where id = ?", ada.id)
    const body = { factor_token: factorToken, totp: factors.app.code() }
    await anonymous.secondFactor(body).refused(401, 'invalid_factor_token')
  })

  it('refuses the code of another account', async ({ anonymous, clock, owner: _owner, eve }) => {
    const foreign = await giveFactors(eve.id, clock)
    const factorToken = await ask(anonymous)
    const totp = { factor_token: factorToken, totp: foreign.app.code() }
    await anonymous.secondFactor(totp).refused(403, 'wrong_second_factor')
    const code = { factor_token: factorToken, recovery_code: foreign.recoveryCodes[0]! }
    await anonymous.secondFactor(code).refused(403, 'wrong_second_factor')
  })

  it('takes exactly one factor in a body', async ({ anonymous, factors }) => {
    const factorToken = await ask(anonymous)
    const send = (body: object) =>
      anonymous.call('secondFactor', { body: { factor_token: factorToken, ...body } }).answer
    expectInvalid(await send({}), '')
    expectInvalid(await send({ totp: factors.app.code(), recovery_code: 'x' }), '')
    expectInvalid(await send({ totp: '' }), '/totp')
    expectProblem(await send({ totp: '1234567' }), 403, 'wrong_second_factor')
    expectInvalid(await send({ recovery_code: '' }), '/recovery_code')
    expectInvalid(
      await send({ passkey: { challenge_token: '', credential: {} } }),
      '/passkey/challenge_token',
      '/passkey/credential/id',
      '/passkey/credential/response',
    )
    expectOk(await send({ totp: factors.app.code(), recovery_code: null, passkey: null, trust_device: null }))
  })

  it('keeps the device known, and ends the session that it had before', async ({ anonymous, clock, ada, factors }) => {
    const first = await signIn(anonymous, factors)
    clock.advance(30 * second)
    const factorToken = await ask(anonymous, { device_token: first.device_token })
    const next = await anonymous.secondFactor({ factor_token: factorToken, totp: factors.app.code() })
    await anonymous.from({ token: first.access_token }).me().refused(401, 'invalid_token')
    expect(decodeJwt(next.device_token)['jti']).toBe(decodeJwt(first.device_token)['jti'])
    expect(await rowsOf('sessions', 'user_id = ?', ada.id)).toHaveLength(2)
    expect(await signInDetail(next.access_token)).toEqual({
      session_id: sessionOf(next.access_token),
      kind: 'totp',
      replaced: true,
    })
    // Without a session of the device there is nothing to replace.
    await anonymous.from({ token: next.access_token }).logout(next.refresh_token!)
    clock.advance(30 * second)
    const factor_token = await ask(anonymous, { device_token: next.device_token })
    const last = await anonymous.secondFactor({ factor_token, recovery_code: factors.recoveryCodes[0]! })
    expect(await signInDetail(last.access_token)).toEqual({
      session_id: sessionOf(last.access_token),
      kind: 'recovery_code',
    })
  })

  it('sets the refresh token as a cookie for an own page, and for nobody else', async ({ anonymous, factors }) => {
    const body = { factor_token: await ask(anonymous), totp: factors.app.code(), transport: 'cookie' } as const
    await anonymous.secondFactor(body).refused(403, 'origin_not_allowed')
    const home = anonymous.from({ headers: { Origin: 'https://accounts.example.com' } })
    const answer = await home.secondFactor(body).answer
    expect(expectOk(answer)).not.toHaveProperty('refresh_token')
    expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-postern-refresh=ey/)])
  })
})

describe('a passkey as the second factor', () => {
  type Question = components['schemas']['SecondFactorProblem']

  const askForPasskey = async (caller: Caller): Promise<Question> =>
    (await caller.login(credentials).refused(403, 'second_factor_required')) as Question

  it('is asked for by name, and signs in with and without PIN or biometrics', async ({ anonymous, ada }) => {
    for (const [isVerified, amr] of [
      [true, ['pwd', 'pop', 'user', 'mfa']],
      [false, ['pwd', 'pop', 'mfa']],
    ] as const) {
      const { authenticator, passkey } = await givePasskey(ada)
      const { factor_token, factors, passkey: options } = await askForPasskey(anonymous)
      expect(factors).toEqual(['passkey'])
      expect(options!.public_key).toMatchObject({
        userVerification: 'preferred',
        rpId: 'accounts.example.com',
        allowCredentials: expect.arrayContaining([
          expect.objectContaining({ id: base64url.encode(passkey.credentialId) }),
        ]),
      })
      const credential = await authenticator.get(options!.public_key, isVerified ? {} : { flags: 0x19 })
      const answer = { challenge_token: options!.challenge_token, credential }
      const tokens = await anonymous.secondFactor({ factor_token, passkey: answer })
      const session = await rowOf('sessions', 'id = ?', sessionOf(tokens.access_token))
      expect(JSON.parse(String(session['amr']))).toEqual(amr)
      expect(await signInDetail(tokens.access_token)).toMatchObject({ kind: 'passkey' })
      await anonymous.secondFactor({ factor_token, passkey: answer }).refused(401, 'invalid_factor_token')
    }
  })

  it('is any of those that the account has', async ({ anonymous, ada }) => {
    const given = [await givePasskey(ada), await givePasskey(ada), await givePasskey(ada)]
    for (const { authenticator } of given) {
      const { factor_token, passkey } = await askForPasskey(anonymous)
      const credential = await authenticator.get(passkey!.public_key)
      await anonymous.secondFactor({
        factor_token,
        passkey: { challenge_token: passkey!.challenge_token, credential },
      })
    }
  })

  it('answers its own factor token alone, and draws on no budget', async ({ anonymous, ada }) => {
    captureLog()
    const { authenticator } = await givePasskey(ada)
    await setFactorAttempts(ada.id, 100, new Date(4_000_000_000_000))
    const [first, other] = [await askForPasskey(anonymous), await askForPasskey(anonymous)]
    const answerTo = async ({ passkey }: Question) => ({
      challenge_token: passkey!.challenge_token,
      credential: await authenticator.get(passkey!.public_key),
    })
    const { factor_token } = first
    for (let round = 0; round < 6; round++) {
      const wrong = { factor_token, passkey: await answerTo(other) }
      await anonymous.secondFactor(wrong).refused(403, 'wrong_second_factor')
    }
    expect(await counter(ada.id)).toMatchObject([{ count: 100 }])
    await anonymous.secondFactor({ factor_token, passkey: await answerTo(first) })
    expect(await counter(ada.id)).toMatchObject([{ count: 0 }])
  })
})

describe('POST /auth/activate of an account with second factors', () => {
  it('is completed by the second factor, and uses up neither link nor account before', async ({
    service,
    anonymous,
    people,
    clock,
  }) => {
    const { id, email, link } = await people.pending('new@example.com')
    const factors = await giveFactors(id, clock)
    const proofs = { token: link, password: goodPassword }
    const { answer, effects } = await observe(service, () => anonymous.activate(proofs))
    expectProblem(answer, 403, 'second_factor_required')
    expect(effects).toEqual({
      ...nothing,
      rows: { audit_events: '+1' },
      events: [
        { type: 'user.activation_refused', actor: null, user: id, detail: { reason: 'second_factor_required' } },
      ],
    })
    const again = await anonymous.activate(proofs).refused(403, 'second_factor_required')

    const body = { factor_token: factorTokenIn(answer.json), totp: factors.app.code() }
    const tokens = await anonymous.secondFactor(body)
    expect(await signInDetail(tokens.access_token, 'user.activated')).toMatchObject({ kind: 'totp' })
    expect(tokens.user).toEqual(userObject({ id, email }))
    expect(await rowsOf('one_time_links', 'user_id = ?', id)).toEqual([])
    await anonymous.activate(proofs).refused(400, 'invalid_link')
    const late = { factor_token: factorTokenIn(again), recovery_code: factors.recoveryCodes[0]! }
    await anonymous.secondFactor(late).refused(401, 'invalid_factor_token')
    const session = await rowOf('sessions', 'user_id = ?', id)
    expect(JSON.parse(String(session['amr']))).toEqual(['pwd', 'otp', 'mfa'])
  })

  it('asks nothing after a wrong password', async ({ anonymous, people, clock }) => {
    const { id, link } = await people.pending('new@example.com')
    await giveFactors(id, clock)
    await anonymous.activate({ token: link, password: otherPassword }).refused(401, 'invalid_credentials')
  })
})

/** Signs in with a second factor and trusts the device. */
async function trust(caller: Caller, factors: GivenFactors): Promise<string> {
  const tokens = await signIn(caller, factors, { trust_device: true })
  return tokens.trust_token!
}

describe('a trusted device', () => {
  it('needs the password alone for thirty days, and such a session says so', async ({ anonymous, clock, factors }) => {
    const trusted = await trust(anonymous, factors)
    expect(decodeProtectedHeader(trusted)).toMatchObject({ typ: 'trust+jwt', alg: 'HS256' })
    const tokens = await anonymous.login({ ...credentials, trust_token: trusted })
    const session = await rowOf('sessions', 'id = ?', sessionOf(tokens.access_token))
    expect(session['amr']).toBeNull()
    await anonymous
      .login({ ...credentials, password: otherPassword, trust_token: trusted })
      .refused(401, 'invalid_credentials')
    clock.advance(30 * 24 * 60 * minute - second)
    await anonymous.login({ ...credentials, trust_token: trusted })
    clock.advance(second)
    await ask(anonymous, { trust_token: trusted })
  })

  it('is trusted only if the user said so', async ({ anonymous, factors }) => {
    expect(await signIn(anonymous, factors)).not.toHaveProperty('trust_token')
  })

  const ends: { what: string; act: (ada: Person, admin: Person) => Promise<unknown> }[] = [
    { what: 'a sign-out everywhere', act: (ada) => ada.logoutAll() },
    { what: 'a sign-out of all others', act: (ada) => ada.endOtherSessions() },
    { what: 'the end of all sessions by an ADMIN', act: (ada, admin) => admin.endSessionsOf(ada) },
    {
      what: 'a suspension',
      act: async (ada, admin) => {
        await admin.suspend(ada)
        await admin.reinstate(ada)
      },
    },
    {
      what: 'a new password',
      act: (ada) => write("update users set password_id = '01936f6e-0000-7000-8000-000000000000' where id = ?", ada.id),
    },
    {
      what: 'other factors',
      act: (ada) => write("update users set factors_id = '01936f6e-0000-7000-8000-000000000000' where id = ?", ada.id),
    },
  ]
  it.for(ends)('is asked again after $what', async ({ act }, { anonymous, ada, admin, factors }) => {
    const trusted = await trust(anonymous, factors)
    await act(ada, admin)
    await ask(anonymous, { trust_token: trusted })
  })

  it('loses its trust by a sign-out of all others when it has no session any more', async ({
    anonymous,
    ada,
    clock,
    factors,
  }) => {
    const tokens = await signIn(anonymous, factors, { trust_device: true })
    await anonymous.logout(tokens.refresh_token!)
    clock.advance(second)
    await ada.endOtherSessions()
    await ask(anonymous, { trust_token: tokens.trust_token })
  })

  it.for(['MODERATOR', 'ADMIN'])(
    'is asked again when its user is a %s at that time',
    async (role, { anonymous, ada, factors }) => {
      const trusted = await trust(anonymous, factors)
      await write('update users set role = ? where id = ?', role, ada.id)
      await ask(anonymous, { trust_token: trusted })
      await write("update users set role = 'USER' where id = ?", ada.id)
      await anonymous.login({ ...credentials, trust_token: trusted })
    },
  )

  it('is asked again where everybody must have a factor', async ({ service, anonymous, factors }) => {
    const trusted = await trust(anonymous, factors)
    await ask(anonymous.at(startService({ beside: service, env: { SECOND_FACTOR: 'all' } })), { trust_token: trusted })
  })

  it('is trusted with its own account alone', async ({ anonymous, clock, eve, factors }) => {
    await giveFactors(eve.id, clock)
    await ask(anonymous, { email: eve.email, trust_token: await trust(anonymous, factors) })
  })

  it('keeps the trust token of a page in a cookie, and no sign-out of its session deletes it', async ({
    anonymous,
    factors,
  }) => {
    const home = { Origin: 'https://accounts.example.com' }
    const page = anonymous.from({ headers: home })
    const byCookie = { transport: 'cookie' } as const
    const body = { factor_token: await ask(anonymous), totp: factors.app.code(), trust_device: true, ...byCookie }
    const answer = await page.secondFactor(body).answer
    expect(expectOk(answer)).not.toHaveProperty('trust_token')
    const [refresh, trusted] = answer.headers.getSetCookie().map((cookie) => /^[^;]*/.exec(cookie)![0])
    expect(answer.headers.getSetCookie()[1]).toMatch(
      /^__Host-postern-trust=ey[\w.-]+; Max-Age=2592000; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    )
    const holding = (cookie: string) => ({ headers: { ...home, Cookie: cookie } })
    const gone = await anonymous.call('logout', { body: byCookie, ...holding(refresh!) }).answer
    expect(gone.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-postern-refresh=;/)])

    const login = (cookie: string, more: object) =>
      anonymous.call('login', { body: { ...credentials, ...more }, ...holding(cookie) })
    await login(trusted!, byCookie)
    await login(`${refresh}; ${trusted}`, byCookie)
    // Each transport has its own place.
    const [, value] = trusted!.split('=')
    await login(trusted!, {}).refused(403, 'second_factor_required')
    await login('', { ...byCookie, trust_token: value }).refused(403, 'second_factor_required')
  })
})
