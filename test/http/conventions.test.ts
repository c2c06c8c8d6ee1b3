/** Properties of every answer, and of every refusal before a route is reached. */
import { SignJWT, base64url, importJWK } from 'jose'
import { describe, expect, vi } from 'vitest'
import { expectInvalid, expectNoContent, expectProblem } from '../support/answers.ts'
import { type ContractCall, calls, jsonCalls, protectedCalls, unknownId } from '../support/calls.ts'
import { day, minute } from '../support/clock.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword } from '../support/person.ts'
import type { People } from '../support/population.ts'
import type { Call, Service } from '../support/service.ts'
import { nothing, observe, write } from '../support/state.ts'

const email = 'ada@example.com'
const right = { email, password: goodPassword }
const it = base
  /** The access token of an ADMIN. */
  .extend('token', async ({ admin }) => admin.accessToken)

const nameOf = ({ method, path }: ContractCall) => `${method} ${path}`

/** The calls for which a path without an id is one with an id that nothing has: `/users/me/passkeys/options`. */
function withIdLike(path: string): ContractCall[] {
  return calls.filter((call) => new RegExp(`^${call.path.replace(unknownId, '[^/]+')}$`).test(path))
}

function make(service: Service, { method, path, body }: ContractCall, more: Call = {}) {
  return service.call(method, path, { ...(body && !more.raw && { body }), ...more })
}

describe('every answer', () => {
  it('repeats the request id and carries the security headers, whatever its status', async ({ service, admin }) => {
    for (const call of calls) {
      // A token of its own, as some of the calls end the session.
      const { accessToken: token } = await admin.signIn()
      for (const more of [{ token }, {}]) {
        const answer = await make(service, call, { ...more, headers: { 'X-Request-Id': 'trace.me_1-A' } })
        const shown = Object.fromEntries(answer.headers)
        const isPublic = /(jwks\.json|security\.txt)$/.test(call.path)
        expect(shown, nameOf(call)).toMatchObject({
          'x-request-id': 'trace.me_1-A',
          'cache-control': isPublic ? 'public, max-age=300' : 'no-store',
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'strict-transport-security': expect.stringMatching(/^max-age=\d{8}/),
          'content-security-policy': expect.stringContaining("default-src 'none'"),
        })
        expect(Object.keys(shown)).not.toContain('access-control-allow-origin')
        expect(Object.keys(shown)).not.toContain('set-cookie')
      }
    }
  })

  it('repeats a request id of 1 to 36 harmless characters, and makes one otherwise', async ({ anonymous }) => {
    const idOf = async (id?: string) => {
      const headers = id === undefined ? {} : { 'X-Request-Id': id }
      return (await anonymous.call('getHealth', { headers }).answer).headers.get('X-Request-Id')
    }
    for (const id of ['x', 'A'.repeat(36), '0a._-']) expect(await idOf(id)).toBe(id)
    const made = []
    for (const id of ['A'.repeat(129), '', 'two words', 'a/b', 'a"b', 'ä', '<script>', 'a,b', undefined, undefined]) {
      made.push(await idOf(id))
    }
    for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(new Set(made).size).toBe(made.length)
  })
})

describe('an unknown path', () => {
  it('gets a 404, with a token and without', async ({ service, token }) => {
    const unknown = [
      ['GET', '/'],
      ['GET', '/nope'],
      ['POST', '/auth'],
      ['POST', '/auth/login/'],
      ['GET', '/AUTH/verify'],
      ['GET', '//users/me'],
      ['GET', '/users/'],
      ['GET', '/users/me/'],
      ['GET', '/users/me/nope'],
      ['DELETE', '/audit-events/01936f6e-0000-7000-8000-000000000000'],
      ['GET', '/.well-known/nope'],
      ['GET', '/.env'],
      ['GET', '/%00'],
      ['GET', '/%ff'],
      ['OPTIONS', '/nope'],
    ] as const
    for (const [method, path] of unknown) {
      for (const more of [{}, { token }]) {
        const answer = await service.call(method, path, more)
        expect(answer.status, `${method} ${path}`).toBe(404)
        expectProblem(answer, 404, 'not_found')
      }
    }
  })
})

describe('a known path', () => {
  it('answers 405 with Allow to every method that it does not take', async ({ service, token }) => {
    const { effects } = await observe(service, async () => {
      for (const [path, group] of Object.entries(Object.groupBy(calls, (call) => call.path))) {
        const methods = [...new Set([...group!, ...withIdLike(path)].map(({ method }) => method))]
        const allowed = methods.includes('GET') ? [...methods, 'HEAD'] : methods
        for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
          if (methods.includes(method)) continue
          for (const more of [{}, { token }]) {
            const answer = await service.call(method, path, more)
            expect(answer.status, `${method} ${path}`).toBe(405)
            expectProblem(answer, 405, 'method_not_allowed')
            expect(answer.headers.get('Allow')!.split(', ').toSorted(), path).toEqual(allowed.toSorted())
          }
        }
      }
    })
    expect(effects).toEqual(nothing)
  })

  it('answers HEAD where it answers GET, without a body', async ({ service, token }) => {
    for (const path of ['/healthz', '/readyz', '/users/me', '/users', '/roles', '/.well-known/jwks.json']) {
      const [head, get] = [await service.call('HEAD', path, { token }), await service.call('GET', path, { token })]
      expect(head.status, path).toBe(get.status)
      expect(head.text).toBe('')
    }
    expect((await service.call('HEAD', '/users/me')).status).toBe(401)
    expect((await service.call('HEAD', '/auth/login')).status).toBe(405)
  })
})

describe('a body', () => {
  it('gets a 415 under any other media type than JSON, on every route that takes one', async ({ service, token }) => {
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/problem+json',
      'application/jsonx',
      'text/json',
      '',
    ]
    const { effects } = await observe(service, async () => {
      for (const call of jsonCalls) {
        for (const type of types) {
          const raw = JSON.stringify(call.body)
          const answer = await make(service, call, { token, raw, headers: { 'Content-Type': type } })
          expect(answer.status, `${nameOf(call)}: ${type}`).toBe(415)
          expectProblem(answer, 415, 'unsupported_media_type')
        }
      }
    })
    expect(effects).toEqual(nothing)
  })

  it.for([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json ;charset=UTF-8',
  ])('may be sent as “%s”', async (type, { ada }) => {
    await ada.from({ headers: { 'Content-Type': type } }).login(right)
  })

  it('gets a 400 when it is not JSON, on every route that takes one', async ({ service, token }) => {
    const { effects } = await observe(service, async () => {
      for (const call of jsonCalls) {
        const json = JSON.stringify(call.body)
        const broken: (BodyInit | undefined)[] = [
          undefined,
          '',
          '{',
          `${json}x`,
          json.slice(0, -1),
          json.replaceAll('"', "'"),
          `${json.slice(0, -1)},}`,
          '{"a":NaN}',
          '{"a":01}',
          '{"a":"\u0001"}',
          '\u00a0{}',
          new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
          new Uint8Array([0x22, 0xed, 0xa0, 0xbd, 0x22]),
          new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
        ]
        for (const [place, raw] of broken.entries()) {
          const answer = await service.call(call.method, call.path, { token, ...(raw !== undefined && { raw }) })
          expect(answer.status, `${nameOf(call)}: ${place}`).toBe(400)
          expectProblem(answer, 400, 'malformed_json')
        }
      }
    })
    expect(effects).toEqual(nothing)
  })

  it('gets a 422 for the whole when it is not an object, on every route that takes one', async ({ service, token }) => {
    const { effects } = await observe(service, async () => {
      for (const call of jsonCalls) {
        for (const raw of ['null', '[]', '"x"', '7', 'true', '1e400', `${'['.repeat(8000)}${']'.repeat(8000)}`]) {
          const answer = await make(service, call, { token, raw })
          expect(answer.status, `${nameOf(call)}: ${raw.slice(0, 9)}`).toBe(422)
          expectInvalid(answer, '')
        }
      }
    })
    expect(effects).toEqual(nothing)
  })

  const limit = 16 * 1024
  const padded = (bytes: number) => {
    const json = JSON.stringify({ email, password: 'x', padding: '' })
    return json.replace('"padding":""', `"padding":"${'a'.repeat(bytes - json.length)}"`)
  }

  it('may have 16 KiB and not a byte more, with a declared length and in chunks', async ({ anonymous }) => {
    const chunked = (text: string) =>
      new Blob([text]).stream().pipeThrough(new TransformStream<Uint8Array, Uint8Array>())
    const [fits, exceeds] = [padded(limit), padded(limit + 1)]
    expect([fits.length, exceeds.length]).toEqual([limit, limit + 1])
    for (const raw of [fits, chunked(fits)]) {
      await anonymous.call('login', { raw }).refused(401, 'invalid_credentials')
    }
    for (const raw of [exceeds, chunked(exceeds), chunked('x'.repeat(1_000_000))]) {
      await anonymous.call('login', { raw }).refused(413, 'body_too_large')
    }
    const headers = { 'Content-Length': String(limit + 1) }
    await anonymous.call('login', { raw: exceeds, headers }).refused(413, 'body_too_large')
    const exact = { 'Content-Length': String(limit) }
    await anonymous.call('login', { raw: fits, headers: exact }).refused(401, 'invalid_credentials')
  })

  // A client that is still sending would never see the 413.
  it('is read to its end before the 413, unless it exceeds 100 MiB', async ({ anonymous }) => {
    const mebibyte = 2 ** 20
    async function sentOf(total: number): Promise<number> {
      let sent = 0
      const raw = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            if (sent >= total) return controller.close()
            sent += mebibyte
            controller.enqueue(new Uint8Array(mebibyte))
          },
        },
        { highWaterMark: 0 },
      )
      await anonymous.call('login', { raw }).refused(413, 'body_too_large')
      return sent / mebibyte
    }
    expect(await sentOf(64 * mebibyte)).toBe(64)
    expect(await sentOf(256 * mebibyte)).toBeLessThan(128)
  })

  it('gets a 400 and logs no error when it breaks off', async ({ service, token }) => {
    const log = captureLog()
    const broken = (text: string) => {
      const chunks = [new TextEncoder().encode(text)]
      return new ReadableStream<Uint8Array>(
        {
          // An error in the same call would take the chunk back.
          pull(controller) {
            const chunk = chunks.shift()
            if (chunk) controller.enqueue(chunk)
            else controller.error(new TypeError('Network connection lost.'))
          },
        },
        { highWaterMark: 0 },
      )
    }
    for (const headers of [{}, { 'Content-Length': '50' }]) {
      for (const call of jsonCalls) {
        // A prefix can be JSON by itself.
        for (const text of ['{"email":', JSON.stringify(call.body)]) {
          expectProblem(await make(service, call, { token, raw: broken(text), headers }), 400, 'malformed_json')
        }
      }
    }
    expect(log.entries().filter(({ level }) => level === 'error')).toEqual([])
  })

  it('gets a 415 in a content coding but identity, on every route that takes one', async ({
    service,
    anonymous,
    token,
  }) => {
    const encoded = { 'Content-Encoding': 'gzip' }
    const { effects } = await observe(service, async () => {
      for (const call of jsonCalls) {
        const raw = JSON.stringify(call.body)
        expectProblem(await make(service, call, { token, raw, headers: encoded }), 415, 'unsupported_media_type')
      }
    })
    expect(effects).toEqual(nothing)
    const plain = anonymous.from({ headers: { 'Content-Encoding': 'Identity' } })
    await plain.login({ email, password: 'x' }).refused(401, 'invalid_credentials')
  })

  it('gets a 413 at 1 MB from every call that could have one, without any effect', async ({ service, token }) => {
    const raw = 'x'.repeat(1_000_000)
    const { effects } = await observe(service, async () => {
      for (const call of calls.filter(({ method }) => method !== 'GET')) {
        expectProblem(await make(service, call, { token, raw }), 413, 'body_too_large')
      }
    })
    expect(effects).toEqual(nothing)
  })

  // What gateways make of the request that they ask about. A GET with a real body: test/e2e/real-requests.test.ts.
  it('of a GET or HEAD is not looked at, nor what describes it', async ({ service, token }) => {
    const described = { 'Content-Length': '1000000', 'Content-Type': 'multipart/form-data', 'Content-Encoding': 'gzip' }
    // An export is made once a day.
    for (const call of calls.filter(({ method, operationId }) => method === 'GET' && operationId !== 'exportMe')) {
      const { status } = await make(service, call, { token })
      for (const method of ['GET', 'HEAD']) {
        for (const headers of [described, { ...described, 'Transfer-Encoding': 'chunked' }]) {
          expect((await make(service, { ...call, method }, { token, headers })).status, nameOf(call)).toBe(status)
        }
      }
    }
  })

  it('may name a member twice, and the last one counts', async ({ anonymous, ada }) => {
    const [correct, wrong] = [JSON.stringify(goodPassword), '"wrong"']
    const login = (first: string, second: string) =>
      anonymous.call('login', { raw: `{"email":"${email}","password":${first},"password":${second}}` })
    await login(wrong, correct)
    await login(correct, wrong).refused(401, 'invalid_credentials')
    expect((await ada.call('updateMe', { raw: '{"bio":"one","bio":"two"}' })).bio).toBe('two')
  })

  it('may start with a byte order mark', async ({ ada }) => {
    await ada.call('login', { raw: `\ufeff${JSON.stringify(right)}` })
  })

  it('is not read without a token where one is needed', async ({ service }) => {
    for (const call of jsonCalls.filter(({ protection }) => protection === 'bearer')) {
      const answer = await make(service, call, { raw: '{', headers: { 'Content-Type': 'text/plain' } })
      expectProblem(answer, 401, 'invalid_token')
    }
  })
})

describe('a 422', () => {
  it('distinguishes a missing field from one of the wrong type', async ({ anonymous }) => {
    const { errors } = await anonymous.call('login', { body: { password: 7 } }).refused(422, 'validation_failed')
    expect(errors).toMatchObject([
      { pointer: '/email', code: 'required' },
      { pointer: '/password', code: 'invalid_type' },
    ])
  })
})

describe('a problem', () => {
  it('echoes no value that the client sent', async ({ service, anonymous, token }) => {
    const mark = 'x7mark'
    for (const call of calls) {
      const body = call.body && Object.fromEntries(Object.keys(call.body).map((field) => [field, `${mark}\0`]))
      const more = { token, ...(body && { body }), headers: { 'User-Agent': mark, Referer: mark } }
      const answer = await service.call(
        call.method,
        `${call.path}?cursor=${mark}&limit=${mark}&email=${mark}&type=${mark}`,
        more,
      )
      expect(answer.text, `${call.method} ${call.path}`).not.toContain(mark)
    }
    for (const header of [mark, `Bearer ${mark}`, `Basic ${mark}`]) {
      const answer = await anonymous.from({ headers: { Authorization: header } }).me().answer
      expect(answer.text + answer.headers.get('WWW-Authenticate')).not.toContain(mark)
    }
    expect((await service.call('GET', `/${mark}`)).text).not.toContain(mark)
  })

  const unexpected = 'no such column: password of ada@example.com'
  const now = () => {
    throw new Error(unexpected)
  }

  describe('after an unexpected failure', () => {
    it.override('options', { platform: { now } })

    it('has the request id and nothing of the failure, which is not logged in words either', async ({ anonymous }) => {
      const lines = vi.spyOn(console, 'error').mockImplementation(() => undefined)
      const answer = await anonymous.from({ headers: { 'X-Request-Id': 'lost-1' } }).login(right).answer
      expectProblem(answer, 500, 'internal_error')
      expect(answer.text).not.toMatch(/column|ada@|Error:|\.ts|node_modules/)
      const log = lines.mock.calls.flat().join('\n')
      expect(log).toContain('lost-1')
      expect(log).not.toMatch(/column|ada@example/)
      lines.mockRestore()
    })
  })
})

describe('a protected call', () => {
  /** Values of the Authorization header with a token that is not good, by name. */
  const withBadTokens = it.extend('badTokens', async ({ service, people, anonymous, ada }) => {
    const activation = await people.register('pending@example.com')
    const reset = await people.resetToken(email)
    const [jwk] = JSON.parse(service.env.SIGNING_KEYS).keys
    const key = await importJWK(jwk, 'EdDSA')
    const iat = Math.floor(service.clock.now().getTime() / 1000)
    const claims = {
      iss: 'https://accounts.example.com',
      aud: 'postern',
      sub: ada.id,
      sid: ada.sessionId,
      client_id: 'postern',
      jti: 'x',
      role: 'ADMIN',
      scope: 'users:read',
      iat,
      exp: iat + 600,
    }
    const mint = (more: object, header: object = {}, signer: CryptoKey | Uint8Array = key) =>
      new SignJWT({ ...claims, ...more })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: jwk.kid, ...header })
        .sign(signer)
    const other = (await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])) as CryptoKeyPair
    // A token that is minted this way and has no fault is accepted.
    await anonymous.from({ token: await mint({}) }).me()
    const bytes = new TextEncoder().encode(jwk.x)
    const secret = base64url.decode(JSON.parse(service.env.TOKEN_KEYS).keys[0].k)
    const [header, payload] = ada.accessToken.split('.')
    const none = btoa(JSON.stringify({ alg: 'none', typ: 'at+jwt', kid: jwk.kid })).replaceAll('=', '')
    const tokens = {
      'of 10 kB': 'a'.repeat(10_000),
      'a refresh token': ada.refreshToken,
      'an activation link': activation,
      'a reset link': reset,
      'without a signature': `${header}.${payload}.`,
      'alg none': `${none}.${payload}.`,
      'signed with another key': await mint({}, {}, other.privateKey),
      'HS256 under the public key': await mint({}, { alg: 'HS256' }, bytes),
      'HS256 under the internal key': await mint({}, { alg: 'HS256', kid: 'test-token' }, secret),
      'without a key id': await mint({}, { kid: undefined }),
      'of another key id': await mint({}, { kid: 'other' }),
      'of another type': await mint({}, { typ: 'JWT' }),
      'without a type': await mint({}, { typ: undefined }),
      'with a critical extension': await mint({}, { crit: ['exp'], exp: 1 }).catch(() => 'x'),
      'of another issuer': await mint({ iss: 'https://evil.example' }),
      'for another audience': await mint({ aud: 'other' }),
      expired: await mint({ iat: iat - 700, exp: iat }),
      'without an end': await mint({ exp: undefined }),
      'from the future': await mint({ iat: iat + 3600, exp: iat + 7200 }),
      'without a session': await mint({ sid: undefined }),
      'without a user': await mint({ sub: undefined }),
    }
    return {
      ...Object.fromEntries(Object.entries(tokens).map(([name, token]) => [name, `Bearer ${token}`])),
      'another scheme': `Basic ${btoa(`${email}:${goodPassword}`)}`,
      'a scheme that ends like Bearer': `NotBearer ${ada.accessToken}`,
      'no scheme': ada.accessToken,
      'two tokens': `Bearer ${ada.accessToken} ${ada.accessToken}`,
      'an empty token': 'Bearer ',
    }
  })

  it('is refused with 401 without a token, and the challenge names no error', async ({ service }) => {
    const { effects } = await observe(service, async () => {
      for (const call of protectedCalls) {
        const answer = await make(service, call)
        expectProblem(answer, 401, 'invalid_token')
        expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer realm="postern"')
      }
    })
    expect(effects).toEqual(nothing)
  })

  withBadTokens('is refused with 401 and without effect for every bad token', async ({ service, badTokens }) => {
    const { effects } = await observe(service, async () => {
      for (const [name, header] of Object.entries(badTokens)) {
        for (const call of protectedCalls) {
          const answer = await make(service, call, { headers: { Authorization: header } })
          expect(answer.status, `${call.method} ${call.path} with ${name}`).toBe(401)
          expectProblem(answer, 401, 'invalid_token')
          const isBearer = header.startsWith('Bearer ')
          const challenge = `Bearer realm="postern"${isBearer ? ', error="invalid_token"' : ''}`
          expect(answer.headers.get('WWW-Authenticate'), name).toBe(challenge)
        }
      }
    })
    expect(effects).toEqual(nothing)
  })

  it('accepts no token from a query', async ({ anonymous, ada }) => {
    await anonymous.call('getMe', { query: { access_token: ada.accessToken } }).refused(401, 'invalid_token')
  })

  it('accepts the scheme in any case and with the spaces that RFC 6750 allows', async ({ anonymous, ada }) => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
      await anonymous.from({ headers: { Authorization: `${scheme} ${ada.accessToken}` } }).me()
    }
  })

  it.for<{ event: string; end: (ada: Person, people: People) => Promise<unknown> }>([
    { event: 'a log-out', end: (ada) => ada.logout() },
    { event: 'a log-out everywhere', end: (ada) => ada.logoutAll() },
    { event: 'a suspension', end: async (ada, people) => (await people.admin()).suspend(ada) },
    { event: 'the deletion of the account', end: (ada) => ada.deleteMe() },
    { event: 'a change of role', end: async (ada, people) => (await people.admin()).assignRole(ada, 'ADMIN') },
  ])('is refused with 401 at once after $event', async ({ end }, { service, people, ada }) => {
    await end(ada, people)
    await service.deliver()
    const { effects } = await observe(service, async () => {
      for (const call of protectedCalls) {
        expectProblem(await make(service, call, { token: ada.accessToken }), 401, 'invalid_token')
      }
    })
    expect(effects).toEqual(nothing)
  })

  it.for([
    { now: 'is suspended', statement: "update users set status = 'suspended'" },
    { now: 'is pending', statement: "update users set status = 'pending'" },
    { now: 'has no session', statement: 'delete from sessions' },
    {
      now: 'has no session of their own',
      statement: "update sessions set user_id = (select id from users where email = 'eve@example.com')",
    },
  ])(
    'is refused with 401 for a user who $now, if it reads the database, and accepted at the edge',
    async ({ statement }, { service, people, ada }) => {
      await people.signUp('eve@example.com')
      await write(statement)
      const { accessToken: token } = ada
      const { effects } = await observe(service, async () => {
        for (const call of protectedCalls.filter(({ protection }) => protection === 'bearer')) {
          expectProblem(await make(service, call, { token }), 401, 'invalid_token')
        }
      })
      expect(effects).toEqual(nothing)
      for (const call of protectedCalls.filter(({ protection }) => protection === 'edge')) {
        expect((await make(service, call, { token })).status, call.path).toBeLessThan(300)
      }
    },
  )

  it('is refused with 401 when the session has expired, though the token has not', async ({ clock, ada }) => {
    clock.advance(30 * day - minute)
    const expireInAMinute = () => write('update sessions set expires_at = ?', clock.now().getTime() + minute)
    await expireInAMinute()
    const session = await ada.signIn()
    await expireInAMinute()
    await session.me()
    clock.advance(minute)
    await session.me().refused(401, 'invalid_token')
    await session.logoutAll().refused(401, 'invalid_token')
    expectNoContent(await ada.logout().answer)
  })
})
