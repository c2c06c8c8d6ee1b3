/** Every wrong access token on every route that requires one (OWASP ASVS V9; RFC 7515, 8725, 9068). */
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { beforeEach, describe, expect, vi } from 'vitest'
import { bytesOf, expectProblem } from '../support/answers.ts'
import type { OperationId } from '../support/api.ts'
import type { Caller } from '../support/caller.ts'
import { second } from '../support/clock.ts'
import { description } from '../support/description.ts'
import { factorTokenIn, giveFactors } from '../support/factors.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { type Answer, type Call, type Service, startService } from '../support/service.ts'
import { takeImage } from '../support/store-image.ts'
import {
  forge,
  respellings,
  rightTokens,
  signingKeys,
  signingKeysOtherFirst,
  wrongTokens,
} from '../support/wrong-tokens.ts'

const email = 'ada@example.com'
const requestId = 'same-for-all'

interface BearerCall {
  operation: OperationId
  body?: unknown
}

/** Every operation of the document that requires an access token, with a body that fits. */
const bearerCalls = Object.values(description.paths)
  .flatMap((item) => Object.values(item))
  .filter(({ security }) => (security ?? []).some(({ bearer }) => bearer !== undefined))
  .map(({ operationId, requestBody }): BearerCall => {
    const body = requestBody?.content['application/json']?.example
    return { operation: operationId as OperationId, ...(body !== undefined && { body }) }
  })

function send(
  anonymous: Caller,
  { operation, body }: BearerCall,
  more: Call & { query?: object } = {},
): Promise<Answer> {
  const input = { id: '01936f6e-0000-7000-8000-000000000000', ...(body !== undefined && { body }), ...more }
  return anonymous.call(operation, input).answer
}

/** Presents any text as a token: the wrong ones are more than a token can be. */
function present(anonymous: Caller, call: BearerCall, token: string): Promise<Answer> {
  return send(anonymous, call, { headers: { 'X-Request-Id': requestId, Authorization: `Bearer ${token}` } })
}

const it = base
  .extend('options', async () => ({ env: { SIGNING_KEYS: signingKeys } }))
  /** One token of each kind. */
  .extend('tokens', async ({ service, inbox, people, clock, anonymous, ada, eve }) => {
    const reset = await people.resetToken(ada.email)
    await ada.changeEmail('ada.new@example.com')
    await service.deliver()
    const { app } = await giveFactors(eve.id, clock)
    const ask = async () =>
      factorTokenIn(
        await anonymous.login({ email: eve.email, password: goodPassword }).refused(403, 'second_factor_required'),
      )
    const trusting = { factor_token: await ask(), totp: app.code(), trust_device: true }
    return {
      access: ada.accessToken,
      refresh: ada.refreshToken,
      activation: await people.register('pending@example.com'),
      reset,
      change: inbox.linkToken('ada.new@example.com'),
      revert: inbox.linkToken(ada),
      device: (await ada.login({ email, password: goodPassword })).device_token,
      trust: (await anonymous.secondFactor(trusting)).trust_token!,
      factor: await ask(),
    }
  })

function expectNoFetch(): void {
  expect(
    vi.mocked(globalThis.fetch).mock.calls.map(([input]) => String(input instanceof Request ? input.url : input)),
  ).toEqual([])
}

beforeEach(() => void captureLog())

describe('a wrong access token', () => {
  it('is refused on every route with the same 401, without a request to anywhere', async ({ anonymous, admin }) => {
    const tokens = await wrongTokens(admin.accessToken)
    expect(new Set(tokens.map(([name]) => name)).size).toBe(tokens.length)
    expect(tokens.length).toBeGreaterThan(300)
    expect(bearerCalls.length).toBeGreaterThanOrEqual(19)

    const claims = decodeJwt(admin.accessToken)
    for (const [name, token] of await rightTokens(claims)) {
      expect((await anonymous.from({ token }).verify().answer).status, name).toBe(204)
      expect((await anonymous.from({ token }).me().answer).status, name).toBe(200)
    }
    const before = await takeImage()
    vi.mocked(globalThis.fetch).mockClear()

    const different: string[] = []
    for (const call of bearerCalls) {
      const reference = await present(anonymous, call, 'x')
      expectProblem(reference, 401, 'invalid_token')
      expect(reference.headers.get('WWW-Authenticate')).toBe('Bearer realm="postern", error="invalid_token"')
      const expected = JSON.stringify(bytesOf(reference))
      for (const [name, token] of tokens) {
        const answer = await present(anonymous, call, token)
        if (JSON.stringify(bytesOf(answer)) !== expected) different.push(`${call.operation}: ${name}: ${answer.status}`)
      }
    }
    expect(different).toEqual([])
    expectNoFetch()
    expect(await takeImage()).toEqual(before)
  }, 240_000)
})

describe('an access token', () => {
  it('is read from a single Authorization header and from nowhere else', async ({ anonymous, admin }) => {
    const { accessToken } = admin
    const carriers: { carrier: string; headers: Record<string, string>; query?: object }[] = [
      { carrier: 'no header', headers: {} },
      { carrier: 'the query', headers: {}, query: { access_token: accessToken, token: accessToken } },
      {
        carrier: 'a cookie',
        headers: { Cookie: `access_token=${accessToken}; Authorization=Bearer ${accessToken}` },
      },
      {
        carrier: 'another header',
        headers: {
          'X-Authorization': `Bearer ${accessToken}`,
          'X-Access-Token': accessToken,
          'Proxy-Authorization': `Bearer ${accessToken}`,
        },
      },
      { carrier: 'the scheme missing', headers: { Authorization: accessToken } },
      { carrier: 'another scheme', headers: { Authorization: `Basic ${accessToken}` } },
      { carrier: 'DPoP', headers: { Authorization: `DPoP ${accessToken}` } },
      { carrier: 'the scheme with a colon', headers: { Authorization: `Bearer: ${accessToken}` } },
      { carrier: 'no space', headers: { Authorization: `Bearer${accessToken}` } },
      { carrier: 'an empty token', headers: { Authorization: 'Bearer ' } },
      { carrier: 'two headers', headers: { Authorization: `Bearer ${accessToken}, Bearer ${accessToken}` } },
      { carrier: 'a parameter', headers: { Authorization: `Bearer token="${accessToken}"` } },
    ]
    for (const call of bearerCalls) {
      for (const { carrier, ...more } of carriers) {
        const answer = await send(anonymous, call, more)
        expect(answer.status, `${call.operation}: ${carrier}`).toBe(401)
        expectProblem(answer, 401, 'invalid_token')
        // RFC 6750 §3.1: no error code in the challenge when the request has no credentials of this scheme.
        const isBearer = more.headers['Authorization']?.startsWith('Bearer ') === true
        const challenge = `Bearer realm="postern"${isBearer ? ', error="invalid_token"' : ''}`
        expect(answer.headers.get('WWW-Authenticate'), carrier).toBe(challenge)
      }
    }
  })

  it('is refused from the second at which it expires', async ({ clock, anonymous, admin }) => {
    clock.advance(599 * second)
    await admin.verify()
    clock.advance(second)
    for (const call of bearerCalls) {
      expectProblem(await present(anonymous, call, admin.accessToken), 401, 'invalid_token')
    }
  })

  it('is refused once its key is retired', async ({ service, anonymous, admin }) => {
    const retired = startService({
      beside: service,
      env: { SIGNING_KEYS: JSON.stringify({ keys: JSON.parse(signingKeys).keys.slice(1) }) },
    })
    for (const call of bearerCalls) {
      expectProblem(await present(anonymous.at(retired), call, admin.accessToken), 401, 'invalid_token')
    }
  })
})

describe('a token of another kind', () => {
  it('is refused as an access token', async ({ anonymous, tokens: { access: _access, ...others } }) => {
    vi.mocked(globalThis.fetch).mockClear()
    for (const [kind, token] of Object.entries(others)) {
      // Relabelled as an access token, it is still signed by a key that access tokens do not have.
      const [, payload, signature] = token.split('.')
      const relabelled = `${btoa('{"alg":"HS256","typ":"at+jwt","kid":"test-token"}').replaceAll('=', '')}.${payload}.${signature}`
      for (const call of bearerCalls) {
        for (const text of [token, relabelled]) {
          const answer = await present(anonymous, call, text)
          expect(answer.json, `${kind} at ${call.operation}`).toMatchObject({ code: 'invalid_token' })
          expectProblem(answer, 401, 'invalid_token')
        }
      }
    }
    expectNoFetch()
  })

  it('is accepted by no call that takes a token in its body', async ({ anonymous, ada, eve, tokens }) => {
    const wrong = (except: keyof typeof tokens) => Object.entries(tokens).filter(([kind]) => kind !== except)
    const before = await takeImage()

    for (const [kind, token] of wrong('refresh')) {
      await anonymous.refresh(token).refused(401, 'invalid_refresh_token')
      expect((await anonymous.logout(token).answer).status, kind).toBe(204)
    }
    for (const [, token] of wrong('activation')) {
      await anonymous.activate({ token, password: goodPassword }).refused(400, 'invalid_link')
    }
    for (const [, token] of wrong('reset')) {
      await anonymous.completePasswordReset({ token, new_password: otherPassword }).refused(400, 'invalid_link')
    }
    for (const [, token] of wrong('change')) await ada.confirmEmail(token).refused(400, 'invalid_link')
    for (const [, token] of wrong('revert')) await anonymous.revertEmail(token).refused(400, 'invalid_link')
    for (const [, factor_token] of wrong('factor')) {
      await anonymous.secondFactor({ factor_token, totp: '492039' }).refused(401, 'invalid_factor_token')
    }
    expect(await takeImage()).toEqual(before)

    for (const [, trust_token] of wrong('trust')) {
      const login = { email: eve.email, password: goodPassword, trust_token }
      await anonymous.login(login).refused(403, 'second_factor_required')
    }
    await anonymous.login({ email: eve.email, password: goodPassword, trust_token: tokens.trust })

    // A device token is a budget and nothing else: without a good one, the budget is that of all unknown devices.
    for (const [kind, device_token] of wrong('device')) {
      for (let tries = 0; tries < 7; tries++) {
        await anonymous.login({ email, password: otherPassword, device_token }).answer
      }
      const answer = await anonymous.login({ email, password: goodPassword, device_token }).answer
      expect(answer.json, kind).toMatchObject({ code: 'rate_limited' })
    }
    await anonymous.login({ email, password: goodPassword, device_token: tokens.device })
  })
})

it('refuses the tokens of a session after log-out, however they are spelled', async ({ anonymous, admin }) => {
  const acceptedBefore = []
  for (const [name, token] of respellings(admin.accessToken)) {
    const caller = anonymous.from({ headers: { Authorization: `Bearer ${token}` } })
    if ((await caller.verify().answer).status === 204) acceptedBefore.push(name)
  }
  // If only one spelling were good, this test would show nothing.
  expect(acceptedBefore.length).toBeGreaterThan(2)

  const refreshSpellings = respellings(admin.refreshToken).filter(([name]) => !/space|tab/.test(name))
  await admin.logout()
  for (const [name, token] of respellings(admin.accessToken)) {
    for (const call of bearerCalls) {
      const answer = await present(anonymous, call, token)
      expect(answer.json, `${name} at ${call.operation}`).toMatchObject({ code: 'invalid_token' })
      expectProblem(answer, 401, 'invalid_token')
    }
  }
  for (const [name, token] of refreshSpellings) {
    const { json } = await anonymous.refresh(token).answer
    expect(json, name).toMatchObject({ code: 'invalid_refresh_token' })
  }
})

it('uses up a link, however its token is spelled', async ({ service, inbox, people, anonymous }) => {
  const activation = await people.register(email)
  await anonymous.activate({ token: activation, password: goodPassword })
  const reset = await people.resetToken(email)
  await anonymous.completePasswordReset({ token: reset, new_password: otherPassword })
  await service.deliver()
  const emails = inbox.all(email).length
  for (const [, token] of respellings(activation)) {
    await anonymous.activate({ token, password: goodPassword }).refused(400, 'invalid_link')
  }
  for (const [, token] of respellings(reset)) {
    await anonymous.completePasswordReset({ token, new_password: goodPassword }).refused(400, 'invalid_link')
  }
  await service.deliver()
  expect(inbox.all(email)).toHaveLength(emails)
})

describe('an independent implementation of RFC 9068', () => {
  const issuer = 'https://accounts.example.com'
  const jwksUri = `${issuer}/.well-known/jwks.json`

  function validate(service: Service, token: string, audience = 'postern') {
    const asked: string[] = []
    const request = new Request('https://files.example.com/', { headers: { Authorization: `Bearer ${token}` } })
    // A new object each time, since it caches the keys that were fetched.
    const server: oauth.AuthorizationServer = { issuer, jwks_uri: jwksUri }
    const claims = oauth.validateJwtAccessToken(server, request, audience, {
      [oauth.clockSkew]: Math.round((service.clock.now().getTime() - Date.now()) / 1000),
      [oauth.customFetch]: async (url) => {
        asked.push(url)
        return service.fetch(url)
      },
    })
    return claims.then((found) => ({ found, asked }))
  }

  it.for([
    { curve: 'Ed25519', keys: signingKeys, alg: 'EdDSA' },
    { curve: 'P-256', keys: signingKeysOtherFirst, alg: 'ES256' },
  ])('accepts our access tokens, signed by $curve, with our JWKS', async ({ keys, alg }) => {
    const service = startService({ env: { SIGNING_KEYS: keys } })
    const { accessToken, id } = await peopleOf(service).admin()
    expect(JSON.parse(atob(accessToken.split('.')[0]!))).toEqual({
      alg,
      typ: 'at+jwt',
      kid: alg === 'EdDSA' ? 'ed' : 'ec',
    })
    const { found, asked } = await validate(service, accessToken)
    expect(found).toMatchObject({
      iss: issuer,
      aud: 'postern',
      sub: id,
      client_id: 'postern',
      role: 'ADMIN',
      scope: expect.stringContaining('users:read'),
    })
    expect(asked).toEqual([jwksUri])
  })

  it('refuses our refresh, link and device tokens, and an access token for another audience', async ({
    service,
    tokens: { access, refresh, activation, device },
  }) => {
    for (const token of [refresh, activation, device]) await expect(validate(service, token)).rejects.toThrow()
    await expect(validate(service, access, 'another')).rejects.toThrow()
    await expect(validate(service, await forge(decodeJwt(access), { header: { typ: 'JWT' } }))).rejects.toThrow()
  })
})
