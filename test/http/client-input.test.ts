/** Other spellings of the same input that generated clients send, and queries that would mislead, on every route. */
import { describe, expect } from 'vitest'
import * as z from 'zod/mini'
import { createApp } from '../../src/app.ts'
import { production } from '../../src/context.ts'
import { validates } from '../../src/http/validate.ts'
import { expectInvalid, expectOk, expectProblem } from '../support/answers.ts'
import { type OperationId, documented } from '../support/api.ts'
import { type ContractCall, calls, unknownId } from '../support/calls.ts'
import { resolve } from '../support/description.ts'
import { it } from '../support/fixtures.ts'
import { givePasskey } from '../support/passkeys.ts'
import type { Person } from '../support/person.ts'
import { nothing, observe } from '../support/state.ts'
import { proveIn, strengths } from '../support/strength.ts'

type Fields = Record<string, z.ZodMiniType>

/** Every field of every validated path, query and body, as the routes themselves have it. */
const fields = createApp(production).routes.flatMap(({ method, path, handler }) => {
  const { [validates]: validated } = handler as { [validates]?: { target: string; schema: z.ZodMiniObject } }
  const shape = (validated?.schema.shape ?? {}) as Fields
  return Object.entries(shape).map(([name, schema]) => ({ method, path, target: validated!.target, name, schema }))
})

const formatOf = (schema: z.ZodMiniType) => JSON.stringify(z.toJSONSchema(schema, { io: 'input' }))
const idFields = fields.filter(({ schema }) => formatOf(schema).includes('"format":"uuid"'))
const optionalFields = fields.filter(({ target, schema }) => target === 'json' && schema.safeParse(undefined).success)

/** An id that the path may have, and a token of somebody who may call it. */
async function placeOf(path: string, target: Person, admin: Person): Promise<{ id: string; token: string }> {
  if (!path.startsWith('/users/me/')) return { id: target.id, token: admin.accessToken }
  const caller = await target.signIn()
  if (path.startsWith('/users/me/sessions/')) return { id: target.sessionId, token: caller.accessToken }
  const { passkey } = await givePasskey(target)
  await proveIn(caller, strengths.passkey)
  return { id: passkey.id, token: caller.accessToken }
}

describe('an id', () => {
  it.each(idFields)('is read in any case: $name in the $target of $method $path', ({ schema }) => {
    const id = '01936f6e-abcd-7fed-8abc-00000000cafe'
    for (const spelling of [id, id.toUpperCase(), '01936F6E-abcd-7FED-8abc-00000000CAFE']) {
      expect(schema.safeParse(spelling)).toMatchObject({ success: true, data: id })
    }
  })

  it.each(idFields)('is nothing but a UUIDv7: $name in the $target of $method $path', ({ schema }) => {
    for (const other of ['', '0', `{${unknownId}}`, `urn:uuid:${unknownId}`, unknownId.replace('-7', '-4')]) {
      expect(schema.safeParse(other).success, other).toBe(false)
    }
  })

  it('finds in upper case what it finds in lower case, in every path that has one', async ({
    service,
    admin,
    people,
  }) => {
    for (const { operationId, method, path, body } of calls.filter((call) => call.path.includes(unknownId))) {
      const target = await people.signUp(`${operationId.toLowerCase()}@example.com`)
      const { id, token } = await placeOf(path, target, admin)
      const answer = await service.call(method, path.replace(unknownId, id.toUpperCase()), {
        token,
        ...(body && { body }),
      })
      expect(answer.status, `${operationId} ${answer.text}`).not.toBe(404)
      if (answer.status === 200 && 'id' in (answer.json as object)) expect(answer.json).toMatchObject({ id })
    }
  })

  it('filters lists in upper case as it does in lower case', async ({ service, admin, ada }) => {
    await ada.signIn()
    for (const { path, parameters } of calls.filter((call) => call.parameters.includes('user_id'))) {
      expect(parameters).toContain('user_id')
      const [lower, upper] = await Promise.all(
        [ada.id, ada.id.toUpperCase()].map((id) =>
          service.call('GET', `${path}?user_id=${id}&limit=1`, { token: admin.accessToken }),
        ),
      )
      expect(expectOk(upper!)).toEqual(expectOk(lower!))
      // Nothing is archived here.
      if (path === '/audit-archive') continue
      // The cursor of one spelling continues the other.
      const { next_cursor: cursor } = lower!.json as { next_cursor: string }
      const next = `${path}?user_id=${ada.id.toUpperCase()}&limit=1&cursor=${cursor}`
      expectOk(await service.call('GET', next, { token: admin.accessToken }))
    }
  })
})

describe('null', () => {
  it.each(optionalFields)('is as good as absent: $name in the body of $method $path', ({ method, schema }) => {
    const { success, data } = schema.safeParse(null)
    // In a profile `null` clears the field.
    expect({ success, data }).toEqual({ success: true, data: method === 'PATCH' ? null : undefined })
  })

  it('is documented wherever it is taken', () => {
    for (const [operationId, { requestBody }] of documented) {
      const body = requestBody?.content['application/json']?.schema as
        | { properties?: Record<string, object>; required?: string[] }
        | undefined
      for (const [name, schema] of Object.entries(body?.properties ?? {})) {
        const isRequired = body?.required?.includes(name) ?? false
        const own = JSON.stringify({ ...schema, properties: {} })
        expect(own.includes('"null"'), `${operationId} ${name}`).toBe(!isRequired)
      }
    }
  })

  it('and an empty text stand for no refresh token where the cookie has it', async ({ service, ada }) => {
    const headers = { Origin: service.env.PUBLIC_URL, Cookie: `__Host-postern-refresh=${ada.refreshToken}` }
    for (const token of [null, '']) {
      const call = ada.from({ headers })
      for (const body of [{ transport: null, refresh_token: token }, { refresh_token: token }]) {
        expectInvalid(await call.call('refresh', { body }).answer, '/refresh_token')
      }
      const body = { transport: 'cookie', refresh_token: token }
      expect((await call.call('refresh', { body }).answer).status).toBe(200)
    }
    const last = ada.from({ headers })
    await last.call('logout', { body: { transport: 'cookie', refresh_token: null } })
  })

  it('as transport keeps the refresh token in the answer', async ({ ada }) => {
    const body = { refresh_token: ada.refreshToken, transport: null }
    expect(await ada.call('refresh', { body })).toHaveProperty('refresh_token')
  })
})

const textFields = fields.filter(
  ({ target, schema }) =>
    target === 'json' &&
    !schema.safeParse({}).success &&
    /"type":"string"/.test(formatOf(schema)) &&
    !/"enum"/.test(formatOf(schema)),
)
/** Fields that nobody is shown: they are compared, hashed, verified or followed. */
const neverShown = /password|token|return_to|totp|passkey|credential|code/
const shownFields = textFields.filter(({ name }) => !neverShown.test(name))
const lineFields = shownFields.filter(({ name }) => /name|reason/.test(name))

describe('a text that is shown to people', () => {
  it('is each of these', () => {
    const names = new Set(shownFields.map(({ name }) => name))
    expect([...names].toSorted()).toEqual([
      'avatar_url',
      'bio',
      'email',
      'first_name',
      'last_name',
      'locale',
      'name',
      'reason',
    ])
    expect(lineFields).toHaveLength(10)
  })

  it.each(shownFields)('does not turn its direction: $name of $method $path', ({ schema }) => {
    const sample = ['Ada', 'ada@example.com', 'https://a.example/x'].find((value) => schema.safeParse(value).success)!
    for (const control of '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069') {
      const turned = sample.slice(0, 2) + control + sample.slice(2)
      const { success, data } = schema.safeParse(turned)
      // A domain loses what IDNA ignores.
      if (success) expect(data).not.toContain(control)
      expect(schema.safeParse(control + sample).success && control !== '\u061c', `${control.codePointAt(0)}`).toBe(
        false,
      )
    }
  })

  it.each(lineFields)('has a visible character and no control: $name of $method $path', ({ schema }) => {
    const empty = [
      '',
      ' ',
      '\u200b',
      '\u00ad',
      '\u3164',
      '\u115f\u1160',
      '\u2800',
      '\ufe0f',
      '\u{e0041}',
      '\u0301',
      ' \u3164 \u2060',
    ]
    for (const text of [...empty, 'A\u0000da', 'A\nda', 'A\tda', 'A\u0085da', 'A\u2028da', 'A\u009bda']) {
      expect(schema.safeParse(text).success, JSON.stringify(text)).toBe(false)
    }
    for (const text of ['می\u200cخواهم', '👩\u200d👩\u200d👧', 'ශ්\u200dරී', 'Åsa', '李', 'א', '-', '7']) {
      expect(schema.safeParse(` ${text} `)).toMatchObject({ success: true, data: text })
    }
  })

  it('is refused under its own field', async ({ admin, ada }) => {
    expectInvalid(await ada.call('updateMe', { body: { first_name: '\u200b' } }).answer, '/first_name')
    expectInvalid(await ada.call('updateMe', { body: { bio: 'a\u202eb' } }).answer, '/bio')
    expectInvalid(await admin.call('suspendUser', { id: ada.id, body: { reason: '\u3164' } }).answer, '/reason')
    const body = { email: 'eve@example.com', password: 'heron-copper-lantern-41', last_name: '\u2800' }
    expectInvalid(await ada.call('register', { body }).answer, '/last_name')
  })
})

describe('a language', () => {
  it('is kept in its canonical form, at registration and in the profile', async ({
    anonymous,
    service,
    inbox,
    ada,
  }) => {
    const email = 'eve@example.com'
    const password = 'heron-copper-lantern-41'
    await anonymous.register({ email, password, locale: 'en_us' })
    await service.deliver()
    const { user } = await anonymous.activate({ token: inbox.linkToken(email), password })
    expect(user.locale).toBe('en-US')
    for (const [locale, kept] of [
      ['x-klingon', 'x-klingon'],
      ['zh_hans_CN', 'zh-Hans-CN'],
      ['en_US.UTF-8', 'en-US'],
      [null, null],
    ] as const) {
      expect((await ada.updateMe({ locale })).locale).toBe(kept)
    }
    expectInvalid(await ada.call('updateMe', { body: { locale: 'C.UTF-8' } }).answer, '/locale')
  })
})

interface ArrayAnswer {
  properties: Record<string, { type?: string }>
}

/** Operations that answer a list: of their own or of all users' things, not the public keys. */
const isList = ({ operationId, protection }: ContractCall) => {
  const ok = documented.get(operationId)!.responses['200']
  const reference = ok && Object.values(resolve(ok).content ?? {})[0]?.schema
  const schema = reference && (resolve(reference as { $ref: string }) as unknown as ArrayAnswer)
  const { properties = {} } = schema ?? {}
  // A user has a list of words, too.
  return (
    protection !== 'none' && !('id' in properties) && Object.values(properties).some(({ type }) => type === 'array')
  )
}
const listPaths = calls.filter((call) => call.method === 'GET' && isList(call)).map(({ path }) => path)
const onLists = calls.filter(({ method, path }) => ['GET', 'DELETE'].includes(method) && listPaths.includes(path))
const otherGets = calls.filter(({ method, path }) => method === 'GET' && !listPaths.includes(path))

describe('the query of a list, or of an act on a whole list', () => {
  it('is one of these', () => {
    expect(onLists.map(({ operationId }) => operationId).toSorted()).toEqual([
      'endMyOtherSessions',
      'endSessionsOfUser',
      'exportMe',
      'getMyFactors',
      'listAuditEvents',
      'listEmails',
      'listMyActivity',
      'listMySessions',
      'listRoles',
      'listSessionsOfUser',
      'listUsers',
      'readAuditArchive',
    ])
  })

  it.for(onLists)(
    'is refused with a parameter that does not exist: $method $path',
    async (call, { service, admin }) => {
      const path = call.path.replace(unknownId, admin.id)
      const known = call.parameters.filter((name) => name !== 'id').toSorted()
      const { effects } = await observe(service, async () => {
        for (const name of ['q', 'offset', 'Limit', 'user-id', '__proto__', 'constructor', 'toString', 'a/b~c', '']) {
          const query = `${encodeURIComponent(name)}=turing`
          const answer = await service.call(call.method, `${path}?${query}`, { token: admin.accessToken })
          expectInvalid(answer, `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`)
          const { errors } = answer.json as { errors: { code: string; message: string }[] }
          expect(errors).toMatchObject([{ code: 'unknown_parameter' }])
          const [, named = ''] = /^is not a parameter here(?:; there are (.+))?$/.exec(errors[0]!.message)!
          expect(named.split(', ').filter(Boolean).toSorted()).toEqual(known)
        }
      })
      expect(effects).toEqual(nothing)
    },
  )

  it('is refused once for each unknown name, for ten at most, beside what else is wrong', async ({ admin }) => {
    expectInvalid(await admin.call('listUsers', { query: 'q=1&limit=0&sort=2&q=3' }).answer, '/q', '/sort', '/limit')
    const query = Array.from({ length: 500 }, (_, number) => `x${number}`).join('&')
    const answer = await admin.call('listUsers', { query }).answer
    expectInvalid(answer, ...Array.from({ length: 10 }, (_, number) => `/x${number}`))
  })

  it.for(onLists.flatMap((call) => call.parameters.filter((name) => name !== 'id').map((name) => ({ ...call, name }))))(
    'is refused with an empty or a repeated parameter: $name of $path',
    async ({ path, name }, { service, admin }) => {
      for (const query of [name, `${name}=`, `${name}=1&${name}=1`, `${name}=&${name}=`]) {
        expectInvalid(await service.call('GET', `${path}?${query}`, { token: admin.accessToken }), `/${name}`)
      }
    },
  )

  it.for(otherGets)(
    'is the only one that is looked at: $path ignores its own',
    async ({ path }, { service, admin }) => {
      const at = path.replace(unknownId, admin.id)
      const more = { token: admin.accessToken }
      const [plain, asked] = [await service.call('GET', at, more), await service.call('GET', `${at}?q=x&_=7&_=8`, more)]
      expect(asked.status).toBe(plain.status)
      if (!path.endsWith('readyz')) expect(asked.text).toBe(plain.text)
    },
  )
})

interface List {
  operationId: OperationId
  query: string
}

describe('a cursor', () => {
  it('belongs to one list, one set of filters and one owner', async ({ people, admin, ada }) => {
    await ada.signIn()
    const eve = await people.signUp('eve@example.com')
    const mod = await people.signUpAs('ADMIN', 'second@example.com')
    const lists: (List & { as: typeof ada })[] = [
      { as: ada, operationId: 'listMyActivity', query: '' },
      { as: eve, operationId: 'listMyActivity', query: '' },
      { as: admin, operationId: 'listUsers', query: '' },
      { as: admin, operationId: 'listUsers', query: 'role=USER' },
      { as: admin, operationId: 'listUsers', query: 'status=active' },
      { as: admin, operationId: 'listUsers', query: 'role=ADMIN&status=active' },
      { as: admin, operationId: 'listUsers', query: 'email=e' },
      { as: admin, operationId: 'listUsers', query: 'email=a' },
      { as: admin, operationId: 'listAuditEvents', query: '' },
      { as: admin, operationId: 'listAuditEvents', query: `user_id=${ada.id}` },
      { as: admin, operationId: 'listAuditEvents', query: `user_id=${eve.id}` },
      { as: admin, operationId: 'listAuditEvents', query: 'type=user.activated' },
      { as: admin, operationId: 'listAuditEvents', query: `type=user.activated&user_id=${ada.id}` },
      { as: admin, operationId: 'listEmails', query: '' },
      { as: admin, operationId: 'listEmails', query: `user_id=${ada.id}` },
      { as: admin, operationId: 'listEmails', query: 'status=sent' },
    ]
    await people.register('evelyn@example.com')
    await people.register('adam@example.com')
    const ask = ({ as, operationId, query }: (typeof lists)[number], more: string) =>
      as.call(operationId, { query: `${query}${query && '&'}limit=1${more}` }).answer
    const cursors = new Map<(typeof lists)[number], string>()
    for (const list of lists) {
      const { next_cursor: cursor } = expectOk(await ask(list, '')) as { next_cursor: string | null }
      if (cursor !== null) cursors.set(list, cursor)
    }
    expect(cursors.size).toBeGreaterThan(12)
    for (const [origin, cursor] of cursors) {
      expect(cursor.length, 'a cursor is small').toBeLessThan(100)
      for (const list of lists) {
        const answer = await ask(list, `&cursor=${cursor}`)
        const what = `${origin.operationId}?${origin.query} at ${list.operationId}?${list.query}`
        expect(answer.status, what).toBe(list === origin ? 200 : 422)
        if (list !== origin) {
          expectInvalid(answer, '/cursor')
          expect(answer.json).toMatchObject({ errors: [{ code: 'invalid_cursor' }] })
        }
      }
    }
    // Staff have lists in common: another ADMIN may go on where the first one stopped.
    const [shared] = [...cursors].filter(([{ operationId }]) => operationId === 'listUsers')
    expect((await ask({ ...shared![0], as: mod }, `&cursor=${shared![1]}`)).status).toBe(200)
  })

  it('belongs to filters by what they mean, and to pages of any length', async ({ admin, people }) => {
    await people.register('bob1@example.com')
    await people.register('bob2@example.com')
    const { next_cursor: cursor } = await admin.users({ email: 'BOB', limit: 1 })
    const { users } = await admin.users({ email: ' bob', limit: 7, cursor: cursor! })
    expect(users).toMatchObject([{ email: 'bob2@example.com' }])
  })

  it('that was edited is refused, and never fails', async ({ admin, ada }) => {
    await ada.signIn()
    const { next_cursor: cursor } = await admin.auditEvents({ limit: 1 })
    const edited = Array.from(
      cursor!,
      (letter, place) => cursor!.slice(0, place) + (letter === 'A' ? 'B' : 'A') + cursor!.slice(place + 1),
    )
    for (const text of [
      ...edited,
      cursor!.slice(1),
      cursor!.slice(0, -1),
      `${cursor}=`,
      `${cursor}A`,
      cursor!.repeat(3),
    ]) {
      const answer = await admin.call('listAuditEvents', { query: `cursor=${encodeURIComponent(text)}` }).answer
      if (answer.status !== 200) expectProblem(answer, 422, 'validation_failed')
    }
  })
})
