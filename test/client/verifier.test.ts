/** Verification away from the service: what is taken for a good access token, and what is answered to anything else. */
import { Hono } from 'hono'
import { SignJWT, decodeJwt, exportJWK, generateKeyPair, importJWK } from 'jose'
import { describe, expect, it, vi } from 'vitest'
import { type PosternEnv, type PosternOptions, postern } from '../../client/src/hono.ts'
import { InvalidTokenError, KeysUnavailableError, type VerifierOptions, verifier } from '../../client/src/verifier.ts'
import { minute, second } from '../support/clock.ts'
import { signUp, signUpAdmin } from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'

const issuer = 'https://accounts.example.com'

/** A service behind, with the clock of Postern and a network to it that is watched. */
function behind(service: Service, more: Partial<VerifierOptions> = {}) {
  const fetch = vi.fn<NonNullable<VerifierOptions['fetch']>>((input, init) => service.fetch(input, init))
  return { fetch, verify: verifier({ issuer, fetch, now: service.clock.now, ...more }) }
}

async function signingKey(service: Service) {
  const jwk = JSON.parse(service.env.SIGNING_KEYS).keys[0]
  return { kid: jwk.kid as string, alg: 'EdDSA', key: await importJWK(jwk, 'EdDSA') }
}

/** Tokens that are none, most of them signed with the service's own key. */
async function wrongTokens(service: Service): Promise<Record<string, string>> {
  const { accessToken, refreshToken } = await signUp(service, 'eve@example.com')
  const { kid, alg, key } = await signingKey(service)
  const claims = decodeJwt(accessToken)
  const mint = (more: object, header: object = {}, by: Parameters<SignJWT['sign']>[0] = key) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg, kid, typ: 'at+jwt', ...header }).sign(by)
  // Whoever makes the others would make a good one this way.
  expect(await behind(service).verify(await mint({}))).toMatchObject({ userId: claims.sub })
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true })
  const [head, body, signature] = accessToken.split('.') as [string, string, string]
  const encode = (value: object) => btoa(JSON.stringify(value)).replaceAll('=', '')
  return {
    'no text': '',
    garbage: 'x.y.z',
    'a refresh token': refreshToken,
    'without a type': await mint({}, { typ: undefined }),
    'of another type': await mint({}, { typ: 'JWT' }),
    unsigned: `${encode({ alg: 'none', typ: 'at+jwt' })}.${body}.`,
    'signed with another key of the same name': await mint({}, {}, privateKey),
    'with a key of its own': await mint({}, { jwk: await exportJWK(publicKey), kid: 'mine' }, privateKey),
    'signed with the public key as a secret': await mint({}, { alg: 'HS256' }, new Uint8Array(32).fill(7)),
    'with another signature': `${head}.${body}.${signature.slice(0, -4)}AAAA`,
    'of another issuer': await mint({ iss: 'https://evil.example' }),
    'for another audience': await mint({ aud: 'another' }),
    'without an end': await mint({ exp: undefined }),
    'without a user': await mint({ sub: undefined }),
    'without permissions': await mint({ scope: undefined }),
    'with an unknown critical header': await mint({}, { crit: ['x'], x: 1 }).catch(() => 'x.y.z'),
  }
}

describe('verifier', () => {
  it('says of a good token who it speaks for', async () => {
    const service = startService()
    const { id, accessToken } = await signUpAdmin(service)
    const { verify } = behind(service)
    const { sid, exp } = decodeJwt(accessToken)
    const permissions = expect.arrayContaining(['content:manage', 'users:read'])
    expect(await verify(accessToken)).toEqual({
      userId: id,
      sessionId: sid,
      role: 'ADMIN',
      permissions,
      expiresAt: new Date(exp! * 1000),
    })
    const user = await signUp(service, 'ada@example.com')
    expect((await verify(user.accessToken)).permissions).toEqual([])
  })

  it('takes nothing else for a token', async () => {
    const service = startService()
    const { verify } = behind(service)
    for (const [name, token] of Object.entries(await wrongTokens(service))) {
      const error = await verify(token).catch((thrown: unknown) => thrown)
      expect(error, name).toBeInstanceOf(InvalidTokenError)
    }
  })

  it('takes a token until its ten minutes are over, and five seconds for the clocks', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, 'ada@example.com')
    const { verify } = behind(service)
    service.clock.advance(10 * minute + 4 * second)
    await verify(accessToken)
    service.clock.advance(2 * second)
    await expect(verify(accessToken)).rejects.toBeInstanceOf(InvalidTokenError)
  })

  it('fetches the keys once for any number of tokens', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, 'ada@example.com')
    const { verify, fetch } = behind(service)
    for (let token = 0; token < 20; token++) await verify(accessToken)
    expect(fetch.mock.calls.map(([input]) => input)).toEqual([`${issuer}/.well-known/jwks.json`])
  })

  it.each([
    ['no answer', () => Promise.reject(new TypeError('fetch failed'))],
    ['a failure', async () => new Response('', { status: 503 })],
    ['a page', async () => new Response('<h1>Welcome</h1>')],
    ['something else', async () => Response.json({ hello: 'world' })],
  ])('says that the keys cannot be had when there is %s for them, and gets over it', async (_, broken) => {
    const service = startService()
    const { accessToken } = await signUp(service, 'ada@example.com')
    const { verify, fetch } = behind(service)
    fetch.mockImplementationOnce(broken)
    await expect(verify(accessToken)).rejects.toBeInstanceOf(KeysUnavailableError)
    await verify(accessToken)
  })

  it('holds to the audience that it is given', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, 'ada@example.com')
    await behind(service, { audience: 'postern' }).verify(accessToken)
    await expect(behind(service, { audience: 'notes' }).verify(accessToken)).rejects.toBeInstanceOf(InvalidTokenError)
  })
})

describe('postern() for Hono', () => {
  function app(options: PosternOptions) {
    return new Hono<PosternEnv>().get('/', postern(options), (c) => c.json(c.var.postern))
  }

  const ask = (to: ReturnType<typeof app>, authorization?: string, bindings?: object) =>
    to.request('/', { headers: authorization === undefined ? {} : { Authorization: authorization } }, bindings)

  it('lets in who has the permission, and says who it is', async () => {
    const service = startService()
    const { id, accessToken } = await signUpAdmin(service)
    const { verify } = behind(service)
    const response = await ask(app({ verify, permission: 'content:manage' }), `bearer  ${accessToken} `)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ userId: id, role: 'ADMIN' })
  })

  it('refuses everybody else as the service itself would', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, 'ada@example.com')
    const { verify } = behind(service)
    const guarded = app({ verify, permission: 'content:manage' })
    const unavailable = app({
      verify: behind(service, { fetch: async () => new Response('', { status: 500 }) }).verify,
    })
    const answers = await Promise.all([
      ask(guarded),
      ask(guarded, 'Bearer x'),
      ask(guarded, 'Basic eDp5'),
      ask(guarded, `Bearer ${accessToken}`),
      ask(unavailable, `Bearer ${accessToken}`),
    ])
    const seen = answers.map(({ status, headers }) => [status, headers.get('WWW-Authenticate')])
    expect(seen).toEqual([
      [401, 'Bearer realm="postern"'],
      [401, 'Bearer realm="postern", error="invalid_token"'],
      [401, 'Bearer realm="postern"'],
      [403, 'Bearer realm="postern", error="insufficient_scope", scope="content:manage"'],
      [503, null],
    ])
    for (const answer of answers) {
      expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
      expect(answer.headers.get('Cache-Control')).toBe('no-store')
      expect(Object.keys(await answer.json<object>())).toEqual(['type', 'title', 'status', 'detail', 'code'])
    }
    expect(answers[4].headers.get('Retry-After')).toBe('5')
  })

  it('reads issuer and audience from the variables of the Worker, and fails loudly without', async () => {
    const service = startService({ platform: { now: () => new Date() } })
    const { accessToken } = await signUp(service, 'ada@example.com')
    vi.spyOn(globalThis, 'fetch').mockImplementation(service.fetch)
    const authorization = `Bearer ${accessToken}`
    const statuses = []
    for (const bindings of [
      { POSTERN_ISSUER: issuer },
      { POSTERN_ISSUER: issuer, POSTERN_AUDIENCE: 'postern' },
      { POSTERN_ISSUER: issuer, POSTERN_AUDIENCE: 'another' },
    ]) {
      statuses.push((await ask(app({}), authorization, bindings)).status)
    }
    expect(statuses).toEqual([200, 200, 401])
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    expect((await ask(app({}), authorization, {})).status).toBe(500)
  })
})
