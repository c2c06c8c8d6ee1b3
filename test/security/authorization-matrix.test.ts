/** Who may call what: every operation of the OpenAPI document for everybody there is (OWASP ASVS V8). */
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { roleRules, roles } from '../../src/permissions.ts'
import { bytesOf, expectProblem, sessionOf } from '../support/answers.ts'
import { description } from '../support/description.ts'
import { captureLog } from '../support/log-lines.ts'
import {
  type SignedIn,
  goodPassword,
  otherPassword,
  register,
  resetToken,
  signIn,
  signUp,
  signUpAdmin,
  signUpAs,
} from '../support/people.ts'
import { type Answer, type Call, type Service, startService } from '../support/service.ts'
import { type StoreImage, putBack, takeImage } from '../support/store-image.ts'

/**
 * One row for each operation, one column for each kind of caller. USER is ada, on her own account; `other` is another
 * USER, on ada's; MODERATOR and ADMIN act on ada's too. Of an account that is pending nobody has a token: that one is
 * ada's successor whose status was changed behind its back, with a session that is still there.
 */
const columns = [
  'anonymous',
  'pending',
  'USER',
  'other',
  'MODERATOR',
  'ADMIN',
  'suspended',
  'ended',
  'deleted',
] as const
type Caller = (typeof columns)[number]

const matrix = `
                          anonymous  pending  USER  other  MODERATOR  ADMIN  suspended  ended  deleted
  register                202        202      202   202    202        202    202        202    202
  activate                200        200      200   200    200        200    200        200    200
  resendActivation        202        202      202   202    202        202    202        202    202
  login                   401        403      200   200    200        200    403        200    401
  refresh                 401        401      200   200    200        200    401        401    401
  logout                  204        204      204   204    204        204    204        204    204
  logoutAll               401        401      204   204    204        204    401        401    401
  changePassword          401        401      204   204    204        204    401        401    401
  requestPasswordReset    202        202      202   202    202        202    202        202    202
  completePasswordReset   204        204      204   204    204        204    204        204    204
  verify                  401        204      204   204    204        204    401        401    401
  getMe                   401        401      200   200    200        200    401        401    401
  updateMe                401        401      200   200    200        200    401        401    401
  deleteMe                401        401      204   204    204        409    401        401    401
  listMySessions          401        401      200   200    200        200    401        401    401
  listMyActivity          401        401      200   200    200        200    401        401    401
  endMySession            401        401      204   404    404        404    401        401    401
  endMyOtherSessions      401        401      204   204    204        204    401        401    401
  listUsers               401        401      403   403    200        200    401        401    401
  getUser                 401        401      403   403    200        200    401        401    401
  moderateProfile         401        401      403   403    200        200    401        401    401
  activateUser            401        401      403   403    403        200    401        401    401
  assignRole              401        401      403   403    403        200    401        401    401
  suspendUser             401        401      403   403    200        200    401        401    401
  reinstateUser           401        401      403   403    200        200    401        401    401
  listSessionsOfUser      401        401      403   403    403        200    401        401    401
  endSessionsOfUser       401        401      403   403    403        204    401        401    401
  startPasswordReset      401        401      403   403    403        202    401        401    401
  deleteUser              401        401      403   403    403        204    401        401    401
  liftEmailSuppression    401        401      403   403    403        204    401        401    401
  listEmails              401        401      403   403    403        200    401        401    401
  listAuditEvents         401        401      403   403    403        200    401        401    401
  listRoles               401        200      200   200    200        200    401        401    401
  getKeys                 200        200      200   200    200        200    200        200    200
  findChangePasswordPage  302        302      302   302    302        302    302        302    302
  getHealth               200        200      200   200    200        200    200        200    200
  getReadiness            200        200      200   200    200        200    200        200    200
  getDescription          200        200      200   200    200        200    200        200    200
  receiveResendWebhook    404        404      404   404    404        404    404        404    404
`
// `verify` and `listRoles` go by the token and the revocation list. `getDescription` is a file for anybody.
// `receiveResendWebhook` is there only with its secret, and goes by its signature alone: see test/routes/webhooks.test.ts.

const [heading, ...rows] = matrix
  .trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/)) as [string[], ...string[][]]
const expected = new Map(
  rows.map(([operationId, ...statuses]) => [
    operationId!,
    Object.fromEntries(heading.map((caller, place) => [caller, Number(statuses[place])])) as Record<Caller, number>,
  ]),
)

const operations = Object.entries(description.paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([method]) => method !== 'parameters')
    .map(([method, operation]) => ({ method: method.toUpperCase(), path, ...operation })),
)
const isBearer = ({ security }: { security: { bearer?: string[] }[] }) => security.length > 0

interface World {
  service: Service
  people: Record<Caller, SignedIn | undefined>
  activation: string
  reset: string
  image: StoreImage
}

async function createWorld(): Promise<World> {
  const service = startService()
  const admin = await signUpAdmin(service)
  const moderator = await signUpAs(service, 'MODERATOR', 'moderator@example.com', admin)
  const signUpAll = async (...names: string[]) => {
    const people: SignedIn[] = []
    for (const name of names) people.push(await signUp(service, `${name}@example.com`))
    return people
  }
  const [user, other, pending, suspended, ended, deleted] = await signUpAll(
    'ada',
    'other',
    'pending',
    'suspended',
    'ended',
    'deleted',
  )
  const act = async (method: string, path: string, call: Call) =>
    expect((await service.call(method, path, call)).status).toBeLessThan(300)
  const { accessToken: token } = admin
  await act('POST', `/users/${suspended!.id}/suspend`, { token, body: { reason: 'spam' } })
  await act('POST', '/auth/logout', { body: { refresh_token: ended!.refreshToken } })
  await act('DELETE', `/users/${deleted!.id}`, { token })
  await env.DB.prepare("update users set status = 'pending' where id = ?").bind(pending!.id).run()
  const activation = await register(service, 'newcomer@example.com')
  const reset = await resetToken(service, user!.email)
  const people = {
    anonymous: undefined,
    pending,
    USER: user,
    other,
    MODERATOR: moderator,
    ADMIN: admin,
    suspended,
    ended,
    deleted,
  }
  return { service, people, activation, reset, image: await takeImage() }
}

/** A request that would succeed, if the caller may make it. */
function requestOf(world: World, operation: (typeof operations)[number], caller: Caller): [path: string, call: Call] {
  const { people, activation, reset } = world
  const person = people[caller]
  const target = people.USER!
  const { email = 'nobody@example.com', password = goodPassword, refreshToken = 'x' } = person ?? {}
  const bodies: Record<string, object> = {
    register: { email: 'somebody-new@example.com', password: goodPassword },
    activate: { token: activation, password: goodPassword },
    resendActivation: { email },
    login: { email, password },
    refresh: { refresh_token: refreshToken },
    logout: { refresh_token: refreshToken },
    changePassword: { old_password: password, new_password: otherPassword },
    requestPasswordReset: { email },
    completePasswordReset: { token: reset, new_password: otherPassword },
    updateMe: { bio: 'x' },
    deleteMe: { password },
    moderateProfile: { bio: 'x' },
    assignRole: { role: 'MODERATOR' },
    suspendUser: { reason: 'spam' },
  }
  const id = operation.operationId === 'endMySession' ? sessionOf(target.accessToken) : target.id
  const body = bodies[operation.operationId]
  expect(body !== undefined, operation.operationId).toBe(operation.requestBody !== undefined)
  const call = { ...(body && { body }), ...(person && { token: person.accessToken }) }
  return [operation.path.replace('{id}', id), call]
}

const headers = { 'X-Request-Id': 'same-for-all' }

beforeEach(() => void captureLog())

describe('the matrix', () => {
  it('has a row for every operation of the document and for nothing else, and a column for every caller', () => {
    expect([...expected.keys()].toSorted()).toEqual(operations.map(({ operationId }) => operationId).toSorted())
    expect(heading).toEqual([...columns])
    for (const [operationId, ...statuses] of rows) expect(statuses, operationId).toHaveLength(columns.length)
  })

  it('lets nobody in without a token where the document asks for one, and forbids exactly what a role does not permit', () => {
    for (const operation of operations.filter(isBearer)) {
      const row = expected.get(operation.operationId)!
      for (const caller of ['anonymous', 'suspended', 'ended', 'deleted'] as const) expect(row[caller]).toBe(401)
      const permission = operation.security[0]!.bearer![0]
      const callers = { USER: 'other', MODERATOR: 'MODERATOR', ADMIN: 'ADMIN' } as const
      for (const role of roles) {
        const isPermitted = permission === undefined || roleRules[role].permissions.some((each) => each === permission)
        expect(row[callers[role]] === 403, `${operation.operationId} for ${role}`).toBe(!isPermitted)
      }
    }
  })

  it('is what the service does, with and without forged headers, and what it refuses changes nothing', async () => {
    const world = await createWorld()
    const { service, image, people } = world
    const forged = {
      ...headers,
      'X-User-Id': people.ADMIN!.id,
      'X-Auth-User-Id': people.ADMIN!.id,
      'X-Auth-Session-Id': sessionOf(people.ADMIN!.accessToken),
      'X-Auth-Role': 'ADMIN',
      'X-Auth-Scope': roleRules.ADMIN.permissions.join(' '),
      'X-Role': 'ADMIN',
      'X-Forwarded-User': people.ADMIN!.email,
      'X-Original-URL': '/healthz',
      'X-Rewrite-URL': '/healthz',
      'X-Forwarded-Uri': '/healthz',
      'X-HTTP-Method-Override': 'GET',
      'X-HTTP-Method': 'GET',
      'X-Method-Override': 'GET',
      'X-Forwarded-For': '127.0.0.1',
      'Cf-Access-Authenticated-User-Email': people.ADMIN!.email,
    }
    const wrong: string[] = []
    let isAsBefore = true
    const restore = async () => {
      if (!isAsBefore) await putBack(image)
      isAsBefore = false
    }
    const expectUntouched = async (name: string) => {
      expect(await takeImage(), name).toEqual(image)
      isAsBefore = true
    }
    for (const operation of operations) {
      for (const caller of columns) {
        const [path, call] = requestOf(world, operation, caller)
        const name = `${operation.operationId} as ${caller}`
        await restore()
        const answer = await service.call(operation.method, path, { ...call, headers })
        const status = expected.get(operation.operationId)![caller]
        if (answer.status !== status) wrong.push(`${name}: ${answer.status} instead of ${status}`)
        const isRefused = isBearer(operation) && answer.status >= 400
        if (isRefused) await expectUntouched(name)

        await restore()
        const again = await service.call(operation.method, path, { ...call, headers: forged })
        expect(again.status, `${name} with forged headers`).toBe(answer.status)
        if (answer.status >= 400) expect(bytesOf(again), `${name} with forged headers`).toEqual(bytesOf(answer))
        if (isRefused) await expectUntouched(`${name} with forged headers`)
      }
    }
    expect(wrong).toEqual([])
  })
})

describe('a path', () => {
  it('in another spelling leads nobody around the door', async () => {
    const world = await createWorld()
    const { service, people, image } = world
    const { id } = people.USER!
    const spellings = [
      '//users',
      '/./users',
      '/users/',
      '/users//',
      '/Users',
      '/USERS',
      '/users;x=1',
      '/users%20',
      '/users%00',
      '/users%2f',
      '/healthz/../users',
      '/healthz/%2e%2e/users',
      '/healthz%2f..%2fusers',
      '/users?/healthz',
      '/users#/healthz',
      '/users.json',
      '/users/*',
      '/auth/../users',
      String.raw`/auth\..\users`,
      `/users/me/../${id}`,
      `/users/${id}/`,
      `/users/${id}%2f`,
      `/users/${id}/../../audit-events`,
      `/users/me/sessions/../../${id}`,
      `/audit-events/`,
      '/audit-events%3f',
    ]
    for (const spelling of spellings) {
      for (const person of [undefined, people.USER, people.other]) {
        for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PROPFIND']) {
          const answer = await service.call(method, spelling, person && { token: person.accessToken })
          const name = `${method} ${spelling} as ${person?.email ?? 'nobody'}`
          expect([401, 403, 404, 405], `${name}: ${answer.status}`).toContain(answer.status)
          expect(answer.text, name).not.toContain('@example.com')
        }
      }
    }
    expect(await takeImage()).toEqual(image)
  })

  it('asked for with HEAD asks for the same token', async () => {
    const world = await createWorld()
    const reads = operations.filter((operation) => operation.method === 'GET' && isBearer(operation))
    expect(reads.length).toBeGreaterThan(4)
    for (const operation of reads) {
      for (const caller of columns) {
        const [path, call] = requestOf(world, operation, caller)
        const answer = await world.service.call('HEAD', path, call)
        expect(answer.status, `HEAD ${path} as ${caller}`).toBe(expected.get(operation.operationId)![caller])
        expect(answer.text).toBe('')
      }
    }
  })
})

describe('an id', () => {
  /** What is no id, or not in the one spelling that ids have. */
  const misspelled = (id: string, foreign: string): string[] => [
    id.toUpperCase(),
    `{${id}}`,
    `[${id}]`,
    `%5B%22${id}%22%5D`,
    `${id},${foreign}`,
    `${foreign},${id}`,
    `${id}%2C${foreign}`,
    `${id}%2f..%2f${foreign}`,
    `..%2f${foreign}`,
    `${foreign}%2f..%2f${id}`,
    `%20${id}`,
    `${id}%20`,
    `${id}%00`,
    `${id}%0a`,
    `urn:uuid:${id}`,
    id.replaceAll('-', ''),
    `${id}'--`,
    `${id}%27%20or%201=1--`,
    '%25',
    '*',
    '0',
    '-1',
    'null',
    'undefined',
    '[object%20Object]',
    '00000000-0000-0000-0000-000000000000',
    '__proto__',
  ]

  it('of another’s session, or in another form, ends nothing', async () => {
    const { service, people, image } = await createWorld()
    const { accessToken: token } = people.other!
    const own = sessionOf(token)
    const foreign = sessionOf(people.USER!.accessToken)
    const unknown = '01936f6e-0000-7000-8000-000000000000'
    for (const id of [
      foreign,
      unknown,
      people.USER!.id,
      people.other!.id,
      ...misspelled(own, foreign),
      ...misspelled(foreign, own),
    ]) {
      const answer = await service.call('DELETE', `/users/me/sessions/${id}`, { token })
      expect(answer.json?.code, id).toBe('not_found')
    }
    expect(await takeImage()).toEqual(image)
    // The same words for what is somebody else's and for what is not there.
    const [theirs, nobodys] = await Promise.all(
      [foreign, unknown].map((id) => service.call('DELETE', `/users/me/sessions/${id}`, { token, headers })),
    )
    expect(bytesOf(theirs!)).toEqual(bytesOf(nobodys!))
    expect((await service.call('DELETE', `/users/me/sessions/${own}`, { token })).status).toBe(204)
  })

  it('of a user in another form names nobody, for any act', async () => {
    const { service, people, image } = await createWorld()
    const { accessToken: token } = people.ADMIN!
    const acts = operations.filter(
      ({ path, operationId }) => path.includes('/users/{id}') && operationId !== 'endMySession',
    )
    expect(acts).toHaveLength(11)
    for (const { method, path, operationId, requestBody } of acts) {
      const body = requestBody?.content['application/json']?.example
      for (const id of misspelled(people.USER!.id, people.other!.id)) {
        const answer = await service.call(method, path.replace('{id}', id), {
          token,
          ...(body !== undefined && { body }),
        })
        expect(answer.json?.code, `${operationId} ${id}`).toBe('not_found')
      }
    }
    expect(await takeImage()).toEqual(image)
  })

  it('in a body or a query names nobody either: who acts, and on whom, is in the token and the path', async () => {
    const { service, people } = await createWorld()
    const [ada, other] = [people.USER!, people.other!]
    const { accessToken: token } = other
    const names = {
      id: ada.id,
      user_id: ada.id,
      userId: ada.id,
      sub: ada.id,
      email: ada.email,
      role: 'ADMIN',
      status: 'active',
    }
    const query = `?${new URLSearchParams(names).toString()}`
    expect((await service.call('GET', `/users/me${query}`, { token })).json.id).toBe(other.id)
    expect(
      (await service.call('PATCH', `/users/me${query}`, { token, body: { ...names, bio: 'mine' } })).json,
    ).toMatchObject({
      id: other.id,
      email: other.email,
      role: 'USER',
      bio: 'mine',
    })
    const sessions = await service.call('GET', `/users/me/sessions${query}`, { token })
    expect(sessions.json.sessions.map(({ id }: { id: string }) => id)).toEqual([sessionOf(token)])
    const password = { old_password: goodPassword, new_password: otherPassword, ...names }
    expect((await service.call('POST', `/auth/change-password${query}`, { token, body: password })).status).toBe(204)
    expect(
      (await service.call('DELETE', `/users/me${query}`, { token, body: { password: otherPassword, ...names } }))
        .status,
    ).toBe(204)
    await signIn(service, ada.email)
    const answer = await service.call('POST', '/auth/login', { body: { email: other.email, password: otherPassword } })
    expectProblem(answer, 401, 'invalid_credentials')
  })
})

describe('a target', () => {
  it('above or beside a MODERATOR is out of reach, and the own account is no way around the rules for an ADMIN', async () => {
    const { service, people } = await createWorld()
    const moderator = people.MODERATOR!
    const admin = people.ADMIN!
    const peer = await signUpAs(service, 'MODERATOR', 'peer@example.com', admin)
    await service.deliver()
    const image = await takeImage()
    const moderations: [string, string, object?][] = [
      ['PATCH', 'profile', { bio: 'x' }],
      ['POST', 'suspend', { reason: 'spam' }],
      ['POST', 'reinstate'],
    ]
    for (const target of [peer, admin]) {
      for (const [method, act, body] of moderations) {
        const answer = await service.call(method, `/users/${target.id}/${act}`, {
          token: moderator.accessToken,
          ...(body && { body }),
        })
        expectProblem(answer, 403, 'insufficient_permission')
      }
    }
    const ownActs: [string, string, object?][] = [
      ['PUT', '/role', { role: 'USER' }],
      ['POST', '/suspend', { reason: 'spam' }],
      ['DELETE', ''],
    ]
    for (const [method, act, body] of ownActs) {
      const answer = await service.call(method, `/users/${admin.id}${act}`, {
        token: admin.accessToken,
        ...(body && { body }),
      })
      expectProblem(answer, 409, 'own_account')
    }
    expect(await takeImage()).toEqual(image)
  })

  it('of another role is judged by that role now, whatever any token says', async () => {
    const { service, people } = await createWorld()
    const list = (person: SignedIn): Promise<Answer> => service.call('GET', '/users', { token: person.accessToken })
    const setRole = (person: SignedIn, role: string) =>
      env.DB.prepare('update users set role = ? where id = ?').bind(role, person.id).run()
    // Behind the service's back, so that the sessions live on.
    await setRole(people.MODERATOR!, 'USER')
    expectProblem(await list(people.MODERATOR!), 403, 'insufficient_permission')
    await setRole(people.other!, 'MODERATOR')
    expect((await list(people.other!)).status).toBe(200)

    // Through it, no token of the old role is left at all.
    const { accessToken: token } = people.ADMIN!
    const promoted = await service.call('PUT', `/users/${people.USER!.id}/role`, { token, body: { role: 'ADMIN' } })
    expect(promoted.status).toBe(200)
    expectProblem(await list(people.USER!), 401, 'invalid_token')
    expectProblem(await service.call('GET', '/auth/verify', { token: people.USER!.accessToken }), 401, 'invalid_token')
  })
})
