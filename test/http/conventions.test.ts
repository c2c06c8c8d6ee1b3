/** What is true of every answer, and of every refusal before a route has its say. */
import { SignJWT, base64url, importJWK } from 'jose'
import { describe, expect, it, vi } from 'vitest'
import { expectInvalid, expectNoContent, expectOk, expectProblem, sessionOf } from '../support/answers.ts'
import { type ContractCall, calls, jsonCalls, protectedCalls } from '../support/calls.ts'
import { day, minute } from '../support/clock.ts'
import { captureLog } from '../support/log-lines.ts'
import { type SignedIn, goodPassword, register, resetToken, signIn, signUp, signUpAdmin } from '../support/people.ts'
import { type Call, type Service, startService } from '../support/service.ts'
import { nothing, observe, write } from '../support/state.ts'

const email = 'ada@example.com'

const nameOf = ({ method, path }: ContractCall) => `${method} ${path}`

function make(service: Service, { method, path, body }: ContractCall, more: Call = {}) {
  return service.call(method, path, { ...(body && !more.raw && { body }), ...more })
}

describe('every answer', () => {
  it('takes the request id over, is stored by no cache and sniffed by no browser, whatever its status', async () => {
    const service = startService()
    const admin = await signUpAdmin(service)
    for (const call of calls) {
      const { accessToken: token } = await signIn(service, admin.email)
      for (const more of [{ token }, {}]) {
        const answer = await make(service, call, { ...more, headers: { 'X-Request-Id': 'trace.me_1-A' } })
        const shown = Object.fromEntries(answer.headers)
        const isPublic = call.path.endsWith('jwks.json')
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

  it('carries the id of the request where that is 1 to 128 harmless characters, and one of its own otherwise', async () => {
    const service = startService()
    const idOf = async (id?: string) => {
      const headers = id === undefined ? {} : { 'X-Request-Id': id }
      return (await service.call('GET', '/healthz', { headers })).headers.get('X-Request-Id')
    }
    for (const id of ['x', 'A'.repeat(128), '0a._-']) expect(await idOf(id)).toBe(id)
    const made = []
    for (const id of ['A'.repeat(129), '', 'two words', 'a/b', 'a"b', 'ä', '<script>', 'a,b', undefined, undefined]) {
      made.push(await idOf(id))
    }
    for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(new Set(made).size).toBe(made.length)
  })
})

describe('an unknown path', () => {
  it('is a 404, with a token or without', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
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
  it('takes its methods and answers 405 to any other, with Allow', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const { effects } = await observe(service, async () => {
      for (const [path, group] of Object.entries(Object.groupBy(calls, (call) => call.path))) {
        const methods = group!.map(({ method }) => method)
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

  it('answers HEAD where it answers GET, without a body', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
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
  it('is JSON and says so: 415 for anything else, on every route that takes one', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
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

  it.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json ;charset=UTF-8',
  ])('may be sent as “%s”', async (type) => {
    const service = startService()
    await signUp(service, email)
    const call = { body: { email, password: goodPassword }, headers: { 'Content-Type': type } }
    expectOk(await service.call('POST', '/auth/login', call))
  })

  it('that is no JSON is a 400, on every route that takes one', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
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

  it('that is no object is a 422 that points at the whole, on every route that takes one', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
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

  it('may have 16 KiB and not a byte more, whether it says its length or comes in chunks', async () => {
    const service = startService()
    const chunked = (text: string) =>
      new Blob([text]).stream().pipeThrough(new TransformStream<Uint8Array, Uint8Array>())
    const [fits, exceeds] = [padded(limit), padded(limit + 1)]
    expect([fits.length, exceeds.length]).toEqual([limit, limit + 1])
    for (const raw of [fits, chunked(fits)]) {
      expectProblem(await service.call('POST', '/auth/login', { raw }), 401, 'invalid_credentials')
    }
    for (const raw of [exceeds, chunked(exceeds), chunked('x'.repeat(1_000_000))]) {
      expectProblem(await service.call('POST', '/auth/login', { raw }), 413, 'body_too_large')
    }
    const headers = { 'Content-Length': String(limit + 1) }
    expectProblem(await service.call('POST', '/auth/login', { raw: exceeds, headers }), 413, 'body_too_large')
    const said = { 'Content-Length': String(limit) }
    expectProblem(await service.call('POST', '/auth/login', { raw: fits, headers: said }), 401, 'invalid_credentials')
  })

  it('is received to its end before it is refused, within reason: who still sends sees no answer else', async () => {
    const service = startService()
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
      expectProblem(await service.call('POST', '/auth/login', { raw }), 413, 'body_too_large')
      return sent / mebibyte
    }
    expect(await sentOf(64 * mebibyte)).toBe(64)
    expect(await sentOf(256 * mebibyte)).toBeLessThan(128)
  })

  it('that breaks off is nobody’s failure but the line’s: 400, and no alarm', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const log = captureLog()
    const broken = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new TextEncoder().encode('{"email":'))
          controller.error(new TypeError('Network connection lost.'))
        },
      })
    for (const headers of [{}, { 'Content-Length': '50' }]) {
      for (const call of jsonCalls) {
        expectProblem(await make(service, call, { token, raw: broken(), headers }), 400, 'malformed_json')
      }
    }
    expect(log.entries().filter(({ level }) => level === 'error')).toEqual([])
  })

  it('is taken as it is, and refused with 415 in a content coding, on every route that takes one', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const encoded = { 'Content-Encoding': 'gzip' }
    const { effects } = await observe(service, async () => {
      for (const call of jsonCalls) {
        const raw = JSON.stringify(call.body)
        expectProblem(await make(service, call, { token, raw, headers: encoded }), 415, 'unsupported_media_type')
      }
    })
    expect(effects).toEqual(nothing)
    const body = { email, password: 'x' }
    const plain = await service.call('POST', '/auth/login', { body, headers: { 'Content-Encoding': 'Identity' } })
    expectProblem(plain, 401, 'invalid_credentials')
  })

  it('is too large at 1 MB for every call that could have one, and does nothing', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const raw = 'x'.repeat(1_000_000)
    const { effects } = await observe(service, async () => {
      for (const call of calls.filter(({ method }) => method !== 'GET')) {
        expectProblem(await make(service, call, { token, raw }), 413, 'body_too_large')
      }
    })
    expect(effects).toEqual(nothing)
  })

  it('may say a member twice: the last one counts', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const [right, wrong] = [JSON.stringify(goodPassword), '"wrong"']
    const login = (first: string, second: string) =>
      service.call('POST', '/auth/login', { raw: `{"email":"${email}","password":${first},"password":${second}}` })
    expectOk(await login(wrong, right))
    expectProblem(await login(right, wrong), 401, 'invalid_credentials')
    const patched = await service.call('PATCH', '/users/me', { token, raw: '{"bio":"one","bio":"two"}' })
    expect(expectOk(patched).bio).toBe('two')
  })

  it('may begin with a byte order mark', async () => {
    const service = startService()
    await signUp(service, email)
    const raw = `\ufeff${JSON.stringify({ email, password: goodPassword })}`
    expectOk(await service.call('POST', '/auth/login', { raw }))
  })

  it('is not looked at when nobody is signed in where somebody must be', async () => {
    const service = startService()
    for (const call of jsonCalls.filter(({ protection }) => protection === 'bearer')) {
      const answer = await make(service, call, { raw: '{', headers: { 'Content-Type': 'text/plain' } })
      expectProblem(answer, 401, 'invalid_token')
    }
  })
})

describe('a 422', () => {
  it('tells a field that is missing from one that is of the wrong type', async () => {
    const service = startService()
    const answer = await service.call('POST', '/auth/login', { body: { password: 7 } })
    expect(answer.json.errors).toMatchObject([
      { pointer: '/email', code: 'required' },
      { pointer: '/password', code: 'invalid_type' },
    ])
  })
})

describe('a problem', () => {
  it('echoes no value that the client sent', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
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
      const answer = await service.call('GET', '/users/me', { headers: { Authorization: header } })
      expect(answer.text + answer.headers.get('WWW-Authenticate')).not.toContain(mark)
    }
    expect((await service.call('GET', `/${mark}`)).text).not.toContain(mark)
  })

  it('for what nobody foresaw is a 500 with the request id and nothing of the failure, which is not logged in words either', async () => {
    const lines = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const now = () => {
      throw new Error(`no such column: password of ada@example.com`)
    }
    const service = startService({ platform: { now } })
    const call = { body: { email, password: goodPassword }, headers: { 'X-Request-Id': 'lost-1' } }
    const answer = await service.call('POST', '/auth/login', call)
    expectProblem(answer, 500, 'internal_error')
    expect(answer.text).not.toMatch(/column|ada@|Error:|\.ts|node_modules/)
    const log = lines.mock.calls.flat().join('\n')
    expect(log).toContain('lost-1')
    expect(log).not.toMatch(/column|ada@example/)
    lines.mockRestore()
  })
})

describe('a protected call', () => {
  /** What is no good access token, besides none at all: by name, the Authorization header. */
  async function badCredentials(service: Service): Promise<Record<string, string>> {
    const ada = await signUp(service, email)
    const activation = await register(service, 'pending@example.com')
    const reset = await resetToken(service, email)
    const [jwk] = JSON.parse(service.env.SIGNING_KEYS).keys
    const key = await importJWK(jwk, 'EdDSA')
    const iat = Math.floor(service.clock.now().getTime() / 1000)
    const claims = {
      iss: 'https://accounts.example.com',
      aud: 'postern',
      sub: ada.id,
      sid: sessionOf(ada.accessToken),
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
    // Whoever makes the tokens below would make a good one this way.
    expectOk(await service.call('GET', '/users/me', { token: await mint({}) }))
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
      'no scheme': ada.accessToken,
      'two tokens': `Bearer ${ada.accessToken} ${ada.accessToken}`,
      'an empty token': 'Bearer ',
    }
  }

  it('is refused with 401 without a token, and the challenge names no error', async () => {
    const service = startService()
    const { effects } = await observe(service, async () => {
      for (const call of protectedCalls) {
        const answer = await make(service, call)
        expectProblem(answer, 401, 'invalid_token')
        expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer realm="postern"')
      }
    })
    expect(effects).toEqual(nothing)
  })

  it('is refused with 401 with whatever is no good access token, and nothing happens', async () => {
    const service = startService()
    const credentials = await badCredentials(service)
    const { effects } = await observe(service, async () => {
      for (const [name, header] of Object.entries(credentials)) {
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

  it('takes no token from a query or a body', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, email)
    expectProblem(await service.call('GET', `/users/me?access_token=${accessToken}`), 401, 'invalid_token')
  })

  it('takes the scheme in any case, and as many spaces as RFC 6750 allows', async () => {
    const service = startService()
    const { accessToken } = await signUp(service, email)
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
      expectOk(await service.call('GET', '/users/me', { headers: { Authorization: `${scheme} ${accessToken}` } }))
    }
  })

  it.each<[string, (service: Service, actor: SignedIn) => Promise<unknown>]>([
    [
      'has logged out',
      (service, { refreshToken }) => service.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } }),
    ],
    ['ended all sessions', (service, { accessToken: token }) => service.call('POST', '/auth/logout-all', { token })],
    [
      'was suspended',
      async (service, { id }) => {
        const admin = await signUpAdmin(service)
        await service.call('POST', `/users/${id}/suspend`, { token: admin.accessToken, body: { reason: 'spam' } })
      },
    ],
    [
      'was deleted',
      (service, { accessToken: token }) =>
        service.call('DELETE', '/users/me', { token, body: { password: goodPassword } }),
    ],
    [
      'got another role',
      async (service, { id }) => {
        const admin = await signUpAdmin(service)
        await service.call('PUT', `/users/${id}/role`, { token: admin.accessToken, body: { role: 'ADMIN' } })
      },
    ],
  ])('is refused with 401 to who %s, at once', async (_, end) => {
    const service = startService()
    const ada = await signUp(service, email)
    await end(service, ada)
    await service.deliver()
    const { effects } = await observe(service, async () => {
      for (const call of protectedCalls) {
        expectProblem(await make(service, call, { token: ada.accessToken }), 401, 'invalid_token')
      }
    })
    expect(effects).toEqual(nothing)
  })

  it.each([
    ['a user that is suspended', "update users set status = 'suspended'"],
    ['a user that is pending', "update users set status = 'pending'"],
    ['a session that is gone', 'delete from sessions'],
    [
      'a session of somebody else',
      "update sessions set user_id = (select id from users where email = 'eve@example.com')",
    ],
  ])('that reads the database goes by what is there now: 401 for %s', async (_, statement) => {
    const service = startService()
    await signUp(service, 'eve@example.com')
    const { accessToken: token } = await signUp(service, email)
    await write(statement)
    const { effects } = await observe(service, async () => {
      for (const call of protectedCalls.filter(({ protection }) => protection === 'bearer')) {
        expectProblem(await make(service, call, { token }), 401, 'invalid_token')
      }
    })
    expect(effects).toEqual(nothing)
    for (const call of protectedCalls.filter(({ protection }) => protection === 'edge')) {
      expect((await make(service, call, { token })).status, call.path).toBeLessThan(300)
    }
  })

  it('is refused with 401 when the session has run out, though the token has not', async () => {
    const service = startService()
    const { refreshToken } = await signUp(service, email)
    service.clock.advance(30 * day - minute)
    await write('update sessions set expires_at = ?', service.clock.now().getTime() + minute)
    const { accessToken: token } = await signIn(service, email)
    await write('update sessions set expires_at = ?', service.clock.now().getTime() + minute)
    expectOk(await service.call('GET', '/users/me', { token }))
    service.clock.advance(minute)
    expectProblem(await service.call('GET', '/users/me', { token }), 401, 'invalid_token')
    expectProblem(await service.call('POST', '/auth/logout-all', { token }), 401, 'invalid_token')
    expectNoContent(await service.call('POST', '/auth/logout', { body: { refresh_token: refreshToken } }))
  })
})
