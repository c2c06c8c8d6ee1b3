/** Every wrong access token on every route that asks for one (OWASP ASVS V9; RFC 7515, 8725, 9068). */
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { bytesOf, expectProblem } from '../support/answers.ts'
import { second } from '../support/clock.ts'
import { description } from '../support/description.ts'
import { captureLog } from '../support/log-lines.ts'
import {
  goodPassword,
  mailsTo,
  newestMail,
  otherPassword,
  register,
  resetToken,
  signUp,
  signUpAdmin,
  tokenIn,
} from '../support/people.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { takeImage } from '../support/store-image.ts'
import {
  forge,
  respellings,
  rightTokens,
  signingKeys,
  signingKeysOtherFirst,
  wrongTokens,
} from '../support/wrong-tokens.ts'

interface BearerCall {
  method: string
  path: string
  body: unknown
}

/** Every operation of the document that asks for an access token, with a body that fits. */
const bearerCalls = Object.entries(description.paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([, { security }]) => (security ?? []).some(({ bearer }) => bearer !== undefined))
    .map(([method, { requestBody }]): BearerCall => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, '01936f6e-0000-7000-8000-000000000000'),
      body: requestBody?.content['application/json']?.example,
    })),
)

const email = 'ada@example.com'
const requestId = 'same-for-all'

/** Only the header as it is: the wrong tokens are more than a token can be. */
function present(service: Service, { method, path, body }: BearerCall, authorization: string): Promise<Answer> {
  return service.call(method, path, {
    ...(body !== undefined && { body }),
    headers: { 'X-Request-Id': requestId, Authorization: authorization },
  })
}

function start(keys = signingKeys): Service {
  return startService({ env: { SIGNING_KEYS: keys } })
}

function expectNoFetch(): void {
  expect(
    vi.mocked(globalThis.fetch).mock.calls.map(([input]) => String(input instanceof Request ? input.url : input)),
  ).toEqual([])
}

beforeEach(() => void captureLog())

describe('a wrong access token', () => {
  it('is refused on every route with the same 401, without a request to anywhere', async () => {
    const service = start()
    const admin = await signUpAdmin(service)
    const tokens = await wrongTokens(admin.accessToken)
    expect(new Set(tokens.map(([name]) => name)).size).toBe(tokens.length)
    expect(tokens.length).toBeGreaterThan(300)
    expect(bearerCalls.length).toBeGreaterThanOrEqual(19)

    const claims = decodeJwt(admin.accessToken)
    for (const [name, token] of await rightTokens(claims)) {
      expect((await service.call('GET', '/auth/verify', { token })).status, name).toBe(204)
      expect((await service.call('GET', '/users/me', { token })).status, name).toBe(200)
    }
    const before = await takeImage()
    vi.mocked(globalThis.fetch).mockClear()

    const different: string[] = []
    for (const call of bearerCalls) {
      const reference = await present(service, call, 'Bearer x')
      expectProblem(reference, 401, 'invalid_token')
      expect(reference.headers.get('WWW-Authenticate')).toBe('Bearer realm="postern", error="invalid_token"')
      const expected = JSON.stringify(bytesOf(reference))
      for (const [name, token] of tokens) {
        const answer = await present(service, call, `Bearer ${token}`)
        if (JSON.stringify(bytesOf(answer)) !== expected)
          different.push(`${call.method} ${call.path}: ${name}: ${answer.status}`)
      }
    }
    expect(different).toEqual([])
    expectNoFetch()
    expect(await takeImage()).toEqual(before)
  }, 240_000)

  it('is not looked for anywhere but in one Authorization header', async () => {
    const service = start()
    const { accessToken } = await signUpAdmin(service)
    const carriers: [string, Record<string, string>, string?][] = [
      ['no header', {}],
      ['the query', {}, `?access_token=${accessToken}&token=${accessToken}`],
      ['a cookie', { Cookie: `access_token=${accessToken}; Authorization=Bearer ${accessToken}` }],
      [
        'another header',
        {
          'X-Authorization': `Bearer ${accessToken}`,
          'X-Access-Token': accessToken,
          'Proxy-Authorization': `Bearer ${accessToken}`,
        },
      ],
      ['the scheme missing', { Authorization: accessToken }],
      ['another scheme', { Authorization: `Basic ${accessToken}` }],
      ['DPoP', { Authorization: `DPoP ${accessToken}` }],
      ['the scheme with a colon', { Authorization: `Bearer: ${accessToken}` }],
      ['no space', { Authorization: `Bearer${accessToken}` }],
      ['an empty token', { Authorization: 'Bearer ' }],
      ['two headers', { Authorization: `Bearer ${accessToken}, Bearer ${accessToken}` }],
      ['a parameter', { Authorization: `Bearer token="${accessToken}"` }],
    ]
    for (const { method, path, body } of bearerCalls) {
      for (const [name, headers, query = ''] of carriers) {
        const answer = await service.call(method, path + query, { ...(body !== undefined && { body }), headers })
        expect(answer.status, `${method} ${path}: ${name}`).toBe(401)
        expectProblem(answer, 401, 'invalid_token')
        // RFC 6750 §3.1: who sent nothing of this scheme is told of no error.
        const isBearer = headers['Authorization']?.startsWith('Bearer ') === true
        const challenge = `Bearer realm="postern"${isBearer ? ', error="invalid_token"' : ''}`
        expect(answer.headers.get('WWW-Authenticate'), name).toBe(challenge)
      }
    }
  })

  it('is one that expired, from the very second on', async () => {
    const service = start()
    const { accessToken: token } = await signUpAdmin(service)
    service.clock.advance(599 * second)
    expect((await service.call('GET', '/auth/verify', { token })).status).toBe(204)
    service.clock.advance(second)
    for (const call of bearerCalls) expectProblem(await present(service, call, `Bearer ${token}`), 401, 'invalid_token')
  })

  it('is one whose key was retired', async () => {
    const service = start()
    const { accessToken: token } = await signUpAdmin(service)
    const retired = startService({
      beside: service,
      env: { SIGNING_KEYS: JSON.stringify({ keys: JSON.parse(signingKeys).keys.slice(1) }) },
    })
    for (const call of bearerCalls) expectProblem(await present(retired, call, `Bearer ${token}`), 401, 'invalid_token')
  })
})

describe('a token of another kind', () => {
  async function tokensOf(service: Service) {
    const activation = await register(service, 'pending@example.com')
    const { accessToken: access, refreshToken: refresh } = await signUp(service, email)
    const reset = await resetToken(service, email)
    const { json } = await service.call('POST', '/auth/login', { body: { email, password: goodPassword } })
    return { access, refresh, activation, reset, device: String(json.device_token) }
  }

  it('is no access token', async () => {
    const service = start()
    const { access: _, ...others } = await tokensOf(service)
    vi.mocked(globalThis.fetch).mockClear()
    for (const [kind, token] of Object.entries(others)) {
      // Neither as it is nor under another type: the keys are not the same.
      const [, payload, signature] = token.split('.')
      const relabelled = `${btoa('{"alg":"HS256","typ":"at+jwt","kid":"test-token"}').replaceAll('=', '')}.${payload}.${signature}`
      for (const call of bearerCalls) {
        for (const text of [token, relabelled]) {
          const answer = await present(service, call, `Bearer ${text}`)
          expect(answer.json?.code, `${kind} at ${call.method} ${call.path}`).toBe('invalid_token')
          expectProblem(answer, 401, 'invalid_token')
        }
      }
    }
    expectNoFetch()
  })

  it('is taken by no call that asks for one in its body', async () => {
    const service = start()
    const tokens = await tokensOf(service)
    const wrong = (except: keyof typeof tokens) => Object.entries(tokens).filter(([kind]) => kind !== except)
    const before = await takeImage()

    for (const [kind, refresh_token] of wrong('refresh')) {
      expectProblem(
        await service.call('POST', '/auth/refresh', { body: { refresh_token } }),
        401,
        'invalid_refresh_token',
      )
      expect((await service.call('POST', '/auth/logout', { body: { refresh_token } })).status, kind).toBe(204)
    }
    for (const [, token] of wrong('activation')) {
      const body = { token, password: goodPassword }
      expectProblem(await service.call('POST', '/auth/activate', { body }), 400, 'invalid_link')
    }
    for (const [, token] of wrong('reset')) {
      const body = { token, new_password: otherPassword }
      expectProblem(await service.call('POST', '/auth/password-reset/complete', { body }), 400, 'invalid_link')
    }
    expect(await takeImage()).toEqual(before)

    // A device token is a budget and nothing else: those who have none stay with everybody's.
    for (const [kind, device_token] of wrong('device')) {
      for (let tries = 0; tries < 7; tries++) {
        await service.call('POST', '/auth/login', { body: { email, password: otherPassword, device_token } })
      }
      const answer = await service.call('POST', '/auth/login', {
        body: { email, password: goodPassword, device_token },
      })
      expect(answer.json.code, kind).toBe('rate_limited')
    }
    const body = { email, password: goodPassword, device_token: tokens.device }
    expect((await service.call('POST', '/auth/login', { body })).status).toBe(200)
  })
})

it('is over after log-out in whatever letters it is spelled', async () => {
  const service = start()
  const { accessToken, refreshToken } = await signUpAdmin(service)
  const verify = (authorization: string) =>
    service.call('GET', '/auth/verify', { headers: { Authorization: authorization } })
  const takenBefore = []
  for (const [name, token] of respellings(accessToken)) {
    if ((await verify(`Bearer ${token}`)).status === 204) takenBefore.push(name)
  }
  // Several spellings are good, or this would show nothing.
  expect(takenBefore.length).toBeGreaterThan(2)

  const refreshSpellings = respellings(refreshToken).filter(([name]) => !/space|tab/.test(name))
  expect((await service.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } })).status).toBe(204)
  for (const [name, token] of respellings(accessToken)) {
    for (const call of bearerCalls) {
      const answer = await present(service, call, `Bearer ${token}`)
      expect(answer.json?.code, `${name} at ${call.method} ${call.path}`).toBe('invalid_token')
      expectProblem(answer, 401, 'invalid_token')
    }
  }
  for (const [name, refresh_token] of refreshSpellings) {
    const answer = await service.call('POST', '/auth/refresh', { body: { refresh_token } })
    expect(answer.json.code, name).toBe('invalid_refresh_token')
  }
})

it('uses up a link in whatever letters it is spelled', async () => {
  const service = start()
  const activation = await register(service, email)
  expect(
    (await service.call('POST', '/auth/activate', { body: { token: activation, password: goodPassword } })).status,
  ).toBe(200)
  await service.call('POST', '/auth/password-reset/request', { body: { email } })
  await service.deliver()
  const reset = tokenIn(newestMail(service, email))
  expect(
    (
      await service.call('POST', '/auth/password-reset/complete', {
        body: { token: reset, new_password: otherPassword },
      })
    ).status,
  ).toBe(204)
  await service.deliver()
  const mails = mailsTo(service, email).length
  for (const [, token] of respellings(activation)) {
    expectProblem(
      await service.call('POST', '/auth/activate', { body: { token, password: goodPassword } }),
      400,
      'invalid_link',
    )
  }
  for (const [, token] of respellings(reset)) {
    expectProblem(
      await service.call('POST', '/auth/password-reset/complete', { body: { token, new_password: goodPassword } }),
      400,
      'invalid_link',
    )
  }
  await service.deliver()
  expect(mailsTo(service, email)).toHaveLength(mails)
})

describe('an independent implementation of RFC 9068', () => {
  const issuer = 'https://accounts.example.com'
  const jwksUri = `${issuer}/.well-known/jwks.json`

  function validate(service: Service, token: string, audience = 'postern') {
    const asked: string[] = []
    const request = new Request('https://files.example.com/', { headers: { Authorization: `Bearer ${token}` } })
    // A new object each time: keys that were fetched are remembered by it.
    const server: oauth.AuthorizationServer = { issuer, jwks_uri: jwksUri }
    const claims = oauth.validateJwtAccessToken(server, request, audience, {
      [oauth.clockSkew]: Math.round((service.clock.now().getTime() - Date.now()) / 1000),
      [oauth.customFetch]: async (url) => {
        asked.push(url)
        const { status, headers, text } = await service.call('GET', new URL(url).pathname)
        return new Response(text, { status, headers })
      },
    })
    return claims.then((found) => ({ found, asked }))
  }

  it.each([
    ['Ed25519', signingKeys, 'EdDSA'],
    ['P-256', signingKeysOtherFirst, 'ES256'],
  ])('accepts our access tokens, signed by %s, with our JWKS', async (_, keys, alg) => {
    const service = start(keys)
    const { accessToken, id } = await signUpAdmin(service)
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

  it('refuses our refresh, link and device tokens, and an access token for another audience', async () => {
    const service = start()
    const link = await register(service, 'pending@example.com')
    const { accessToken, refreshToken } = await signUp(service, email)
    const { json } = await service.call('POST', '/auth/login', { body: { email, password: goodPassword } })
    for (const token of [refreshToken, link, json.device_token])
      await expect(validate(service, token)).rejects.toThrow()
    await expect(validate(service, accessToken, 'another')).rejects.toThrow()
    await expect(validate(service, await forge(decodeJwt(accessToken), { header: { typ: 'JWT' } }))).rejects.toThrow()
  })
})
