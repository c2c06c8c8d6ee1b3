/** Bad input always gets a 4xx that names the field, has no effect, and never causes a 5xx. */
import { describe, expect } from 'vitest'
import { expectInvalid, expectProblem } from '../support/answers.ts'
import { calls, jsonCalls, unknownId } from '../support/calls.ts'
import { it } from '../support/fixtures.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { Answer } from '../support/service.ts'
import { nothing, observe, rowOf } from '../support/state.ts'

const email = 'ada@example.com'
const right = { email, password: goodPassword }

/** JSON values that no text field accepts. */
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

const optional = new Set(['first_name', 'last_name', 'avatar_url', 'bio', 'locale', 'totp', 'name', 'mail_code'])

/** A 422 that names the field, or members that it should have. */
function expectInvalidIn(answer: Answer, pointer: string): void {
  const { errors } = answer.json as { errors: { pointer: string }[] }
  expectInvalid(answer, ...new Set(errors.map((error) => error.pointer)))
  for (const error of errors) expect(`${error.pointer}/`).toMatch(new RegExp(`^${pointer}/`))
}

/** Each of its members may be absent: one of them is needed. */
const takesOneOf = new Set(['stepUp'])

describe.each(jsonCalls)('$method $path', ({ operationId, method, path, body }) => {
  it('refuses values that are no text or no valid text in each field, without any effect', async ({
    service,
    admin,
  }) => {
    const { effects } = await observe(service, async () => {
      for (const field of Object.keys(body)) {
        const isNullable = optional.has(field) || takesOneOf.has(operationId)
        const values = { ...hostile, ...(!isNullable && { null: 'null' }) }
        for (const [name, value] of Object.entries(values)) {
          const others = JSON.stringify({ ...body, [field]: undefined }).slice(1, -1)
          const raw = `{${others}${others && ','}${JSON.stringify(field)}:${value}}`
          const answer = await service.call(method, path, { token: admin.accessToken, raw })
          expect(answer.status, `${field}: ${name}: ${answer.text}`).toBe(422)
          expectInvalidIn(answer, `/${field}`)
        }
      }
    })
    expect(effects).toEqual(nothing)
  })

  it('takes no required field from the prototype or from a member in another case', async ({ service, admin }) => {
    const hasNone = method === 'PATCH' || takesOneOf.has(operationId)
    const needed = hasNone ? [] : Object.keys(body).filter((field) => !optional.has(field))
    const raws = [
      `{"__proto__":${JSON.stringify(body)}}`,
      `{"constructor":{"prototype":${JSON.stringify(body)}}}`,
      JSON.stringify(Object.fromEntries(Object.entries(body).map(([field, value]) => [field.toUpperCase(), value]))),
      '{}',
    ]
    for (const raw of needed.length > 0 ? raws : []) {
      const { answer, effects } = await observe(service, () =>
        service.call(method, path, { token: admin.accessToken, raw }),
      )
      // Whether the old password is needed shows only when everything else is valid.
      const named = needed.filter((field) => field !== 'old_password')
      expectInvalid(answer, ...named.map((field) => `/${field}`))
      expect(effects).toEqual(nothing)
    }
  })
})

describe('__proto__ in a body', () => {
  it('has no effect on this request and on the next', async ({ anonymous, ada }) => {
    const proto = '"__proto__":{"role":"ADMIN","status":"active","first_name":"Eve","isAdmin":true}'
    const raw = `{${proto},"email":"eve@example.com","password":${JSON.stringify(otherPassword)}}`
    await anonymous.call('register', { raw })
    const stored = await rowOf('users', "email = 'eve@example.com'")
    expect(stored).toMatchObject({ role: 'USER', status: 'pending', first_name: null })
    const updated = await ada.call('updateMe', { raw: `{${proto},"bio":"x"}` })
    expect(updated).toMatchObject({ role: 'USER', first_name: null, bio: 'x' })
    expect(({} as Record<string, unknown>)['role']).toBeUndefined()
  })
})

describe('an unknown member', () => {
  it('is ignored with any value', async ({ ada }) => {
    for (const value of [...Object.values(hostile), 'null', '"x"']) {
      const raw = `{"email":"${email}","password":${JSON.stringify(goodPassword)},"unknown":${value}}`
      await ada.call('login', { raw })
    }
  })
})

describe('a path or a query', () => {
  it('gets a 4xx when it is hostile, without any effect', async ({ service, admin }) => {
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
      for (const { method, path, body } of calls.filter((call) => call.path.includes(unknownId))) {
        for (const id of ids) {
          const hostilePath = path.replace(unknownId, id)
          const answer = await service.call(method, hostilePath, { token: admin.accessToken, ...(body && { body }) })
          expectProblem(answer, 404, 'not_found')
        }
      }
      for (const { path } of calls.filter(({ parameters }) => parameters.includes('cursor'))) {
        for (const field of ['limit', 'cursor']) {
          for (const value of ['%00', '%ff', '%ed%a0%80', '-1', '1e9', '[]', '%7B%7D', "'", 'a'.repeat(5000)]) {
            const answer = await service.call('GET', `${path}?${field}=${value}`, { token: admin.accessToken })
            expectInvalid(answer, `/${field}`)
          }
        }
      }
    })
    expect(effects).toEqual(nothing)
  })
})

describe('a header', () => {
  const currentSession = async (person: Person) => {
    const { sessions } = await person.sessions()
    return sessions.find(({ current }) => current)!
  }

  it('that names the client is stored trimmed, with spaces for control characters', async ({ ada }) => {
    const session = await ada.from({ headers: { 'User-Agent': '\u0007curl\u00078.5\u0007' } }).signIn()
    expect((await currentSession(session)).user_agent).toBe('curl 8.5')
  })

  it('that is hostile is stored harmlessly or not at all', async ({ anonymous, ada }) => {
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
      const session = ada.holding(await anonymous.from({ headers }).login(right))
      const { user_agent: agent, ip } = await currentSession(session)
      expect(ip, 'no header that a client may send is taken for the address').toBe('203.0.113.7')
      expect((agent ?? '').length).toBeLessThanOrEqual(256)
    }
  })
})
