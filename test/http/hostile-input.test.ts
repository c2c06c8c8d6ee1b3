/** Bad input is the client's fault, always: a 4xx that says where, nothing written, and never a 5xx. */
import { describe, expect, it } from 'vitest'
import { expectInvalid, expectOk, expectProblem } from '../support/answers.ts'
import { calls, jsonCalls } from '../support/calls.ts'
import { goodPassword, otherPassword, signUp, signUpAdmin } from '../support/people.ts'
import { startService } from '../support/service.ts'
import { nothing, observe, rowOf } from '../support/state.ts'

const email = 'ada@example.com'

/** As JSON text, what no text field takes. */
const hostile: Record<string, string> = {
  'a number': '7',
  'a huge number': '1e400',
  'a number of a thousand digits': '9'.repeat(1000),
  'minus zero': '-0',
  true: 'true',
  'an array of one text': '["ada@example.com"]',
  'an empty array': '[]',
  'an object': '{"$ne":null}',
  'an object with a length': '{"length":20}',
  'an object that would be text': '{"toString":"x","valueOf":"x"}',
  'deep arrays': '['.repeat(5000) + ']'.repeat(5000),
  'deep objects': '{"a":'.repeat(2000) + '1' + '}'.repeat(2000),
  'a NUL': String.raw`"nine quiet\u0000 lanterns"`,
  'a lone high surrogate': String.raw`"nine quiet \ud83d lanterns"`,
  'a lone low surrogate': String.raw`"\udd8a nine quiet lanterns"`,
  'surrogates the wrong way round': String.raw`"\udd8a\ud83e"`,
}

const optional = new Set(['first_name', 'last_name', 'avatar_url', 'bio', 'locale'])

describe.each(jsonCalls)('$method $path', ({ method, path, body }) => {
  it('refuses in each of its fields what is no text or no good text, and does nothing', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const { effects } = await observe(service, async () => {
      for (const field of Object.keys(body)) {
        const isNullable = optional.has(field)
        const values = { ...hostile, ...(!isNullable && { null: 'null' }) }
        for (const [name, value] of Object.entries(values)) {
          const others = JSON.stringify({ ...body, [field]: undefined }).slice(1, -1)
          const raw = `{${others}${others && ','}${JSON.stringify(field)}:${value}}`
          const answer = await service.call(method, path, { token, raw })
          expect(answer.status, `${field}: ${name}: ${answer.text}`).toBe(422)
          expectInvalid(answer, `/${field}`)
        }
      }
    })
    expect(effects).toEqual(nothing)
  })

  it('wants every field it needs as a member of its own: the prototype and other spellings give none', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const needed = method === 'PATCH' ? [] : Object.keys(body).filter((field) => !optional.has(field))
    const raws = [
      `{"__proto__":${JSON.stringify(body)}}`,
      `{"constructor":{"prototype":${JSON.stringify(body)}}}`,
      JSON.stringify(Object.fromEntries(Object.entries(body).map(([field, value]) => [field.toUpperCase(), value]))),
      '{}',
    ]
    for (const raw of needed.length > 0 ? raws : []) {
      const { answer, effects } = await observe(service, () => service.call(method, path, { token, raw }))
      expectInvalid(answer, ...needed.map((field) => `/${field}`))
      expect(effects).toEqual(nothing)
    }
  })
})

describe('__proto__ in a body', () => {
  it('has no effect: not on this request and not on the next', async () => {
    const service = startService()
    const { accessToken: token } = await signUp(service, email)
    const proto = '"__proto__":{"role":"ADMIN","status":"active","first_name":"Eve","isAdmin":true}'
    const raw = `{${proto},"email":"eve@example.com","password":${JSON.stringify(otherPassword)}}`
    expect((await service.call('POST', '/auth/register', { raw })).status).toBe(202)
    const stored = await rowOf('users', "email = 'eve@example.com'")
    expect(stored).toMatchObject({ role: 'USER', status: 'pending', first_name: null })
    const patched = await service.call('PATCH', '/users/me', { token, raw: `{${proto},"bio":"x"}` })
    expect(expectOk(patched)).toMatchObject({ role: 'USER', first_name: null, bio: 'x' })
    expect(({} as Record<string, unknown>)['role']).toBeUndefined()
  })
})

describe('an unknown member', () => {
  it('is ignored, whatever is in it', async () => {
    const service = startService()
    await signUp(service, email)
    for (const value of [...Object.values(hostile), 'null', '"x"']) {
      const raw = `{"email":"${email}","password":${JSON.stringify(goodPassword)},"unknown":${value}}`
      expectOk(await service.call('POST', '/auth/login', { raw }))
    }
  })
})

describe('a path or a query', () => {
  it('that is hostile is a 4xx, and does nothing', async () => {
    const service = startService()
    const { accessToken: token } = await signUpAdmin(service)
    const ids = [
      '%00',
      '%ff',
      '%ed%a0%80',
      '..%2f..%2f',
      "'%20or%20'1'='1",
      '0',
      '-1',
      'null',
      'a'.repeat(5000),
      '%F0%9F%A6%8A',
    ]
    const { effects } = await observe(service, async () => {
      for (const { method, path, body } of calls.filter((call) => call.path.includes('01936f6e'))) {
        for (const id of ids) {
          const hostilePath = path.replace(/01936f6e[0-9a-f-]+/, id)
          const answer = await service.call(method, hostilePath, { token, ...(body && { body }) })
          expectProblem(answer, 404, 'not_found')
        }
      }
      for (const path of ['/users', '/audit-events']) {
        for (const field of ['limit', 'cursor']) {
          for (const value of ['%00', '%ff', '%ed%a0%80', '-1', '1e9', '[]', '%7B%7D', "'", 'a'.repeat(5000)]) {
            const answer = await service.call('GET', `${path}?${field}=${value}`, { token })
            expectInvalid(answer, `/${field}`)
          }
        }
      }
    })
    expect(effects).toEqual(nothing)
  })
})

describe('a header', () => {
  it('that names the client is noted without control characters, which are spaces, and without space around it', async () => {
    const service = startService()
    await signUp(service, email)
    const headers = { 'User-Agent': '\u0007curl\u00078.5\u0007' }
    const { access_token: token } = expectOk(
      await service.call('POST', '/auth/login', { body: { email, password: goodPassword }, headers }),
    )
    const { sessions } = expectOk(await service.call('GET', '/users/me/sessions', { token }))
    const { user_agent: agent } = sessions.find(({ current }: { current: boolean }) => current)
    expect(agent).toBe('curl 8.5')
  })

  it('that is hostile is noted harmlessly or not at all', async () => {
    const service = startService()
    await signUp(service, email)
    const body = { email, password: goodPassword }
    const values = [
      "'; drop table users; --",
      '<script>alert(1)</script>',
      'x'.repeat(5000),
      '🦊'.repeat(200),
      '%00',
      '\u0007',
    ]
    for (const value of values) {
      const headers = {
        'User-Agent': value,
        'X-Request-Id': value,
        'X-Forwarded-For': value,
        Cookie: value,
        Origin: value,
      }
      const { access_token: token } = expectOk(await service.call('POST', '/auth/login', { body, headers }))
      const { sessions } = expectOk(await service.call('GET', '/users/me/sessions', { token }))
      const { user_agent: agent, ip } = sessions.find(({ current }: { current: boolean }) => current)
      expect(ip, 'no header that anybody may send is taken for the address').toBe('203.0.113.7')
      expect((agent ?? '').length).toBeLessThanOrEqual(256)
    }
  })
})
