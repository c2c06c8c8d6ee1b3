/** Verification of access tokens outside the service: which tokens are accepted, and the answers to all others. */
import { Hono } from 'hono'
import { SignJWT, decodeJwt, exportJWK, generateKeyPair, importJWK } from 'jose'
import { describe, expect, vi } from 'vitest'
import { type AcrOptions, type PosternEnv, type PosternOptions, postern, requireAcr } from '../../client/src/hono.ts'
import {
  type AccessToken,
  type Acr,
  InvalidTokenError,
  KeysUnavailableError,
  type VerifierOptions,
  verifier,
} from '../../client/src/verifier.ts'
import { minute, second } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import type { Person } from '../support/person.ts'
import type { Service } from '../support/service.ts'

const issuer = 'https://accounts.example.com'

/** Another service that verifies tokens, with the clock of Postern and a recorded network. */
function behind(service: Service, more: Partial<VerifierOptions> = {}) {
  const fetch = vi.fn<NonNullable<VerifierOptions['fetch']>>((input, init) => service.fetch(input, init))
  return { fetch, verify: verifier({ issuer, fetch, now: service.clock.now, ...more }) }
}

async function signingKey(service: Service) {
  const jwk = JSON.parse(service.env.SIGNING_KEYS).keys[0]
  return { kid: jwk.kid as string, alg: 'EdDSA', key: await importJWK(jwk, 'EdDSA') }
}

/** Wrong tokens, most of them signed with the key of the service. */
async function wrongTokens({ service, accessToken, refreshToken }: Person): Promise<Record<string, string>> {
  const { kid, alg, key } = await signingKey(service)
  const claims = decodeJwt(accessToken)
  const mint = (more: object, header: object = {}, by: Parameters<SignJWT['sign']>[0] = key) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg, kid, typ: 'at+jwt', ...header }).sign(by)
  // A token without a flaw is good, so each of the others is refused because of its flaw.
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
  it('returns the user, session, role and permissions of a good token', async ({ service, admin, ada }) => {
    const { id, accessToken } = admin
    const { verify } = behind(service)
    const { sid, exp } = decodeJwt(accessToken)
    const permissions = expect.arrayContaining(['content:manage', 'users:read'])
    expect(await verify(accessToken)).toEqual({
      userId: id,
      sessionId: sid,
      role: 'ADMIN',
      permissions,
      expiresAt: new Date(exp! * 1000),
      authenticatedAt: expect.any(Date),
      amr: ['pwd'],
      acr: 'urn:postern:1',
    })
    expect((await verify(ada.accessToken)).permissions).toEqual([])
  })

  it('rejects every wrong token', async ({ service, eve }) => {
    const { verify } = behind(service)
    for (const [name, token] of Object.entries(await wrongTokens(eve))) {
      const error = await verify(token).catch((thrown: unknown) => thrown)
      expect(error, name).toBeInstanceOf(InvalidTokenError)
    }
  })

  it('accepts a token for its ten minutes and five seconds of clock skew', async ({
    service,
    ada: { accessToken },
  }) => {
    const { verify } = behind(service)
    service.clock.advance(10 * minute + 4 * second)
    await verify(accessToken)
    service.clock.advance(2 * second)
    await expect(verify(accessToken)).rejects.toBeInstanceOf(InvalidTokenError)
  })

  it('fetches the keys once for any number of tokens', async ({ service, ada: { accessToken } }) => {
    const { verify, fetch } = behind(service)
    for (let token = 0; token < 20; token++) await verify(accessToken)
    expect(fetch.mock.calls.map(([input]) => input)).toEqual([`${issuer}/.well-known/jwks.json`])
  })

  it.for([
    { reply: 'no answer', broken: () => Promise.reject(new TypeError('fetch failed')) },
    { reply: 'a failure', broken: async () => new Response('', { status: 503 }) },
    { reply: 'a page', broken: async () => new Response('<h1>Welcome</h1>') },
    { reply: 'other JSON', broken: async () => Response.json({ hello: 'world' }) },
  ])(
    'throws KeysUnavailableError if the keys request gets $reply, and recovers',
    async ({ broken }, { service, ada: { accessToken } }) => {
      const { verify, fetch } = behind(service)
      fetch.mockImplementationOnce(broken)
      await expect(verify(accessToken)).rejects.toBeInstanceOf(KeysUnavailableError)
      await verify(accessToken)
    },
  )

  it('accepts the configured audience only', async ({ service, ada: { accessToken } }) => {
    await behind(service, { audience: 'postern' }).verify(accessToken)
    await expect(behind(service, { audience: 'notes' }).verify(accessToken)).rejects.toBeInstanceOf(InvalidTokenError)
  })
})

function app(options: PosternOptions) {
  return new Hono<PosternEnv>().get('/', postern(options), (c) => c.json(c.var.postern))
}

const ask = (to: ReturnType<typeof app>, authorization?: string, bindings?: object) =>
  to.request('/', { headers: authorization === undefined ? {} : { Authorization: authorization } }, bindings)

describe('postern() for Hono', () => {
  it('admits a user with the permission and exposes the token to the handler', async ({
    service,
    admin: { id, accessToken },
  }) => {
    const { verify } = behind(service)
    const response = await ask(app({ verify, permission: 'content:manage' }), `bearer  ${accessToken} `)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ userId: id, role: 'ADMIN' })
  })

  it('refuses all other requests with the answers of the service itself', async ({ service, ada: { accessToken } }) => {
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
})

describe('how well the user has shown who they are', () => {
  it('is what the token says, and the least where it says nothing', async ({ service, ada: { accessToken } }) => {
    const { kid, alg, key } = await signingKey(service)
    const { verify } = behind(service)
    const { auth_time: _, amr: __, acr: ___, ...claims } = decodeJwt(accessToken)
    const read = async (more: object) => {
      const header = { alg, kid, typ: 'at+jwt' }
      const token = await new SignJWT({ ...claims, ...more }).setProtectedHeader(header).sign(key)
      const { authenticatedAt, amr, acr } = await verify(token)
      return { at: authenticatedAt?.getTime(), amr, acr }
    }
    const strong = { auth_time: 1_800_000_000, amr: ['pop', 'user', 'mfa'], acr: 'phr' }
    expect(await read(strong)).toEqual({ at: 1_800_000_000_000, amr: ['pop', 'user', 'mfa'], acr: 'phr' })
    const least = { at: undefined, amr: ['pwd'], acr: 'urn:postern:1' }
    expect(await read({})).toEqual(least)
    expect(await read({ auth_time: '1', amr: 'mfa', acr: 'better' })).toEqual(least)
  })
})

describe('postern() with an issuer that is not a URL', () => {
  it.each(['', '/', 'accounts.example.com', 'localhost:8787'])(
    'fails when the service starts, not at its first token: %j',
    (issuer) => {
      expect(() => postern({ issuer })).toThrow(/^postern\(\) needs the URL of an issuer/)
    },
  )
})

describe('requireAcr() for Hono', () => {
  const at = new Date('2026-12-01T12:00:00Z')
  const token = (acr: Acr, ageSeconds: number) =>
    ({ acr, authenticatedAt: new Date(at.getTime() - ageSeconds * 1000) }) as AccessToken
  const asking = (acr: Acr, options: AcrOptions, shown: AccessToken) =>
    new Hono<PosternEnv>()
      .get('/', postern({ verify: async () => shown }), requireAcr(acr, { now: () => at, ...options }), (c) =>
        c.text('in'),
      )
      .request('/', { headers: { Authorization: 'Bearer x' } })

  it.for([
    { needed: 'urn:postern:1', shown: 'urn:postern:1', age: 0, status: 200 },
    { needed: 'urn:postern:2', shown: 'urn:postern:1', age: 0, status: 401 },
    { needed: 'urn:postern:2', shown: 'urn:postern:2', age: 600, status: 200 },
    { needed: 'urn:postern:2', shown: 'phr', age: 600, status: 200 },
    { needed: 'urn:postern:2', shown: 'phr', age: 601, status: 401 },
    { needed: 'phr', shown: 'urn:postern:2', age: 0, status: 401 },
  ] as const)('answers $status to $shown of $age seconds ago where $needed is needed', async (row) => {
    const { needed, shown, age, status } = row
    expect((await asking(needed, { maxAgeSeconds: 600 }, token(shown, age))).status).toBe(status)
  })

  it('accepts any time of the session where no age is given', async () => {
    expect((await asking('urn:postern:1', {}, token('urn:postern:1', 9_000_000))).status).toBe(200)
  })

  it('refuses a token that does not say when, where an age is given, however long it is', async () => {
    const silent = { acr: 'phr', authenticatedAt: undefined } as AccessToken
    for (const maxAgeSeconds of [0, 600, 1e12]) {
      const answer = await asking('urn:postern:1', { maxAgeSeconds }, silent)
      expect(answer.status).toBe(401)
      expect(answer.headers.get('WWW-Authenticate')).toContain('error="insufficient_user_authentication"')
    }
    expect((await asking('urn:postern:2', {}, silent)).status).toBe(200)
  })

  it('says what is missing as RFC 9470 does, so that clients ask the person', async () => {
    const answer = await asking('urn:postern:2', { maxAgeSeconds: 600 }, token('urn:postern:1', 0))
    expect(answer.headers.get('WWW-Authenticate')).toBe(
      'Bearer realm="postern", error="insufficient_user_authentication", acr_values="urn:postern:2 phr", max_age="600"',
    )
    expect(await answer.json()).toMatchObject({ code: 'insufficient_user_authentication', status: 401 })
    const ageless = await asking('phr', {}, token('urn:postern:1', 0))
    expect(ageless.headers.get('WWW-Authenticate')).toMatch(/acr_values="phr"$/)
  })
})

describe('postern() in a Worker', () => {
  it.override('options', { platform: { now: () => new Date() } })

  it('reads issuer and audience from the variables of the Worker, and fails without them', async ({ service, ada }) => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(service.fetch)
    const authorization = `Bearer ${ada.accessToken}`
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
