/** Which caller may call which operation: every operation of the OpenAPI document for every kind of caller (OWASP ASVS V8). */
import { beforeEach, describe, expect } from 'vitest'
import { roleRules, roles } from '../../src/permissions.ts'
import { bytesOf } from '../support/answers.ts'
import { description } from '../support/description.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { type Person, goodPassword, otherPassword } from '../support/person.ts'
import type { Call } from '../support/service.ts'
import { write } from '../support/state.ts'
import { type StoreImage, putBack, takeImage } from '../support/store-image.ts'

/**
 * One row for each operation, one column for each kind of caller. USER is ada, acting on her own account. `other` is a
 * second USER, and acts on ada's account, as do MODERATOR and ADMIN. `pending` has a token although a pending account
 * never gets one: its status was set in the database while its session was alive.
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
type Role = (typeof columns)[number]

const matrix = `
                          anonymous  pending  USER  other  MODERATOR  ADMIN  suspended  ended  deleted
  register                202        202      202   202    202        202    202        202    202
  activate                200        200      200   200    200        200    200        200    200
  resendActivation        202        202      202   202    202        202    202        202    202
  login                   401        403      200   200    200        200    403        200    401
  passkeySignInOptions    200        200      200   200    200        200    200        200    200
  signInWithPasskey       401        401      401   401    401        401    401        401    401
  secondFactor            401        401      401   401    401        401    401        401    401
  stepUpOptions           401        401      200   200    200        200    401        401    401
  stepUp                  401        401      200   200    200        200    401        401    401
  refresh                 401        401      200   200    200        200    401        401    401
  logout                  204        204      204   204    204        204    204        204    204
  logoutAll               401        401      204   204    204        204    401        401    401
  changePassword          401        401      204   204    204        204    401        401    401
  requestPasswordReset    202        202      202   202    202        202    202        202    202
  completePasswordReset   204        204      204   204    204        204    204        204    204
  revertEmail             204        204      204   204    204        204    204        204    204
  verify                  401        204      204   204    204        204    401        401    401
  getMe                   401        401      200   200    200        200    401        401    401
  updateMe                401        401      200   200    200        200    401        401    401
  deleteMe                401        401      204   204    204        409    401        401    401
  changeEmail             401        401      202   202    202        202    401        401    401
  confirmEmail            401        401      200   400    400        400    401        401    401
  exportMe                401        401      200   200    200        200    401        401    401
  listMySessions          401        401      200   200    200        200    401        401    401
  listMyActivity          401        401      200   200    200        200    401        401    401
  endMySession            401        401      204   404    404        404    401        401    401
  endMyOtherSessions      401        401      204   204    204        204    401        401    401
  getMyFactors            401        401      200   200    200        200    401        401    401
  sendFactorCode          401        401      202   202    202        202    401        401    401
  passkeyEnrolmentOptions 401        401      200   200    200        200    401        401    401
  addPasskey              401        401      400   400    400        400    401        401    401
  renamePasskey           401        401      404   404    404        404    401        401    401
  removePasskey           401        401      404   404    404        404    401        401    401
  startTotp               401        401      200   200    200        200    401        401    401
  confirmTotp             401        401      400   400    400        400    401        401    401
  removeTotp              401        401      404   404    404        404    401        401    401
  renewRecoveryCodes      401        401      404   404    404        404    401        401    401
  listUsers               401        401      403   403    200        200    401        401    401
  getUser                 401        401      403   403    200        200    401        401    401
  moderateProfile         401        401      403   403    200        200    401        401    401
  activateUser            401        401      403   403    403        200    401        401    401
  assignRole              401        401      403   403    403        200    401        401    401
  suspendUser             401        401      403   403    200        200    401        401    401
  reinstateUser           401        401      403   403    200        200    401        401    401
  resetFactors            401        401      403   403    403        204    401        401    401
  listSessionsOfUser      401        401      403   403    403        200    401        401    401
  endSessionsOfUser       401        401      403   403    403        204    401        401    401
  startPasswordReset      401        401      403   403    403        202    401        401    401
  deleteUser              401        401      403   403    403        204    401        401    401
  liftEmailSuppression    401        401      403   403    403        204    401        401    401
  listEmails              401        401      403   403    403        200    401        401    401
  listAuditEvents         401        401      403   403    403        200    401        401    401
  readAuditArchive        401        401      403   403    403        200    401        401    401
  listRoles               401        200      200   200    200        200    401        401    401
  getKeys                 200        200      200   200    200        200    200        200    200
  getSecurityContact      200        200      200   200    200        200    200        200    200
  findChangePasswordPage  302        302      302   302    302        302    302        302    302
  getHealth               200        200      200   200    200        200    200        200    200
  getReadiness            200        200      200   200    200        200    200        200    200
  getDescription          200        200      200   200    200        200    200        200    200
  receiveResendWebhook    404        404      404   404    404        404    404        404    404
`
// `verify` and `listRoles` check the token and the revocation list alone. `getDescription` is a public file.
// `signInWithPasskey` goes by the passkey alone. Here is none, and none for the acts on passkeys: see
// test/routes/passkeys.test.ts.
// Nobody here has a second factor: see test/routes/factors.test.ts.
// `receiveResendWebhook` exists only with its secret, and checks its signature alone: see test/routes/webhooks.test.ts.

const [heading, ...rows] = matrix
  .trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/)) as [string[], ...string[][]]
const expected = new Map(
  rows.map(([operationId, ...statuses]) => [
    operationId!,
    Object.fromEntries(heading.map((caller, place) => [caller, Number(statuses[place])])) as Record<Role, number>,
  ]),
)

const operations = Object.entries(description.paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([method]) => method !== 'parameters')
    .map(([method, operation]) => ({ method: method.toUpperCase(), path, ...operation })),
)
const isBearer = ({ security }: { security: { bearer?: string[] }[] }) => security.length > 0

interface World {
  callers: Record<Exclude<Role, 'anonymous'>, Person> & { anonymous: undefined }
  /** Suspended by a MODERATOR, and the address takes no email. */
  held: Person
  activation: string
  reset: string
  confirm: string
  revert: string
  image: StoreImage
}

const it = base.extend('world', async ({ service, inbox, people, admin, moderator, ada }): Promise<World> => {
  const other = await people.signUp('other@example.com')
  const pending = await people.signUp('pending@example.com')
  const suspended = await people.signUp('suspended@example.com')
  const ended = await people.signUp('ended@example.com')
  const deleted = await people.signUp('deleted@example.com')
  await admin.suspend(suspended)
  await ended.logout()
  await admin.deleteUser(deleted)
  await write("update users set status = 'pending' where id = ?", pending.id)
  const held = await people.signUp('held@example.com')
  await moderator.suspend(held)
  await write("update users set email_problem = 'bounced' where id = ?", held.id)
  const activation = await people.register('newcomer@example.com')
  const reset = await people.resetToken(ada.email)
  const address = 'ada.new@example.com'
  await ada.changeEmail(address)
  await service.deliver()
  const [confirm, revert] = [inbox.linkToken(address), inbox.linkToken(ada)]
  const callers = {
    anonymous: undefined,
    pending,
    USER: ada,
    other,
    MODERATOR: moderator,
    ADMIN: admin,
    suspended,
    ended,
    deleted,
  }
  return { callers, held, activation, reset, confirm, revert, image: await takeImage() }
})

/** A request that succeeds if the caller may make it. */
function requestOf(world: World, operation: (typeof operations)[number], role: Role): [path: string, call: Call] {
  const { callers, activation, reset, confirm, revert } = world
  const caller = callers[role]
  const needsHeld = ['reinstateUser', 'liftEmailSuppression'].includes(operation.operationId)
  const target = needsHeld ? world.held : callers.USER
  const { email = 'nobody@example.com', password = goodPassword, refreshToken = 'x' } = caller ?? {}
  const bodies: Record<string, object> = {
    register: { email: 'somebody-new@example.com', password: goodPassword },
    activate: { token: activation, password: goodPassword },
    resendActivation: { email },
    login: { email, password },
    signInWithPasskey: {
      challenge_token: 'x',
      credential: { id: 'x', response: { clientDataJSON: 'x', authenticatorData: 'x', signature: 'x' } },
    },
    secondFactor: { factor_token: 'x', totp: '492039' },
    stepUp: { password },
    refresh: { refresh_token: refreshToken },
    logout: { refresh_token: refreshToken },
    changePassword: { old_password: password, new_password: otherPassword },
    requestPasswordReset: { email },
    completePasswordReset: { token: reset, new_password: otherPassword },
    updateMe: { bio: 'x' },
    deleteMe: { password },
    addPasskey: {
      challenge_token: 'x',
      credential: { id: 'x', response: { clientDataJSON: 'x', attestationObject: 'x' } },
    },
    renamePasskey: { name: 'Laptop' },
    confirmTotp: { setup_token: 'x', code: '492039' },
    changeEmail: { email: 'another@example.com' },
    confirmEmail: { token: confirm },
    revertEmail: { token: revert },
    moderateProfile: { bio: 'x' },
    assignRole: { role: 'MODERATOR' },
    suspendUser: { reason: 'spam' },
    resetFactors: { reason: 'Lost phone' },
  }
  const id = operation.operationId === 'endMySession' ? target.sessionId : target.id
  const body = bodies[operation.operationId]
  expect(body !== undefined, operation.operationId).toBe(operation.requestBody !== undefined)
  const call = { ...(body && { body }), ...(caller && { token: caller.accessToken }) }
  return [operation.path.replace('{id}', id), call]
}

const headers = { 'X-Request-Id': 'same-for-all' }

beforeEach(() => void captureLog())

describe('the table of roles', () => {
  it('gives every role these permissions, and reach over these roles', () => {
    const moderator = ['content:manage', 'users:read', 'profiles:moderate', 'users:suspend']
    const administrator = [
      ...moderator,
      'users:activate',
      'users:assign-role',
      'users:revoke-sessions',
      'users:reset-password',
      'users:reset-factors',
      'users:delete',
      'audit:read',
      'emails:read',
      'emails:manage',
    ]
    expect(roleRules).toEqual({
      USER: { permissions: [], actsOn: [], reinstates: [] },
      MODERATOR: { permissions: moderator, actsOn: ['USER'], reinstates: ['MODERATOR'] },
      ADMIN: { permissions: administrator, actsOn: roles, reinstates: roles },
    })
  })
})

describe('the matrix', () => {
  it('has a row for every operation of the document and for nothing else, and a column for every caller', () => {
    expect([...expected.keys()].toSorted()).toEqual(operations.map(({ operationId }) => operationId).toSorted())
    expect(heading).toEqual([...columns])
    for (const [operationId, ...statuses] of rows) expect(statuses, operationId).toHaveLength(columns.length)
  })

  it('asks for tokens and permissions exactly where the document does', () => {
    for (const operation of operations.filter(isBearer)) {
      const row = expected.get(operation.operationId)!
      for (const role of ['anonymous', 'suspended', 'ended', 'deleted'] as const) expect(row[role]).toBe(401)
      const permission = operation.security[0]!.bearer![0]
      const callers = { USER: 'other', MODERATOR: 'MODERATOR', ADMIN: 'ADMIN' } as const
      for (const role of roles) {
        const isPermitted = permission === undefined || roleRules[role].permissions.some((each) => each === permission)
        expect(row[callers[role]] === 403, `${operation.operationId} for ${role}`).toBe(!isPermitted)
      }
    }
  })

  it('is what the service does, with and without forged headers, and refusals change nothing', async ({
    service,
    world,
  }) => {
    const { image, callers } = world
    const forged = {
      ...headers,
      'X-User-Id': callers.ADMIN.id,
      'X-Auth-User-Id': callers.ADMIN.id,
      'X-Auth-Session-Id': callers.ADMIN.sessionId,
      'X-Auth-Role': 'ADMIN',
      'X-Auth-Scope': roleRules.ADMIN.permissions.join(' '),
      'X-Role': 'ADMIN',
      'X-Forwarded-User': callers.ADMIN.email,
      'X-Original-URL': '/healthz',
      'X-Rewrite-URL': '/healthz',
      'X-Forwarded-Uri': '/healthz',
      'X-HTTP-Method-Override': 'GET',
      'X-HTTP-Method': 'GET',
      'X-Method-Override': 'GET',
      'X-Forwarded-For': '127.0.0.1',
      'Cf-Access-Authenticated-User-Email': callers.ADMIN.email,
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
      for (const role of columns) {
        const [path, call] = requestOf(world, operation, role)
        const name = `${operation.operationId} as ${role}`
        await restore()
        const answer = await service.call(operation.method, path, { ...call, headers })
        const status = expected.get(operation.operationId)![role]
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
    // Every operation by every caller, twice, and the stores put back in between.
  }, 240_000)
})

describe('a path', () => {
  it('grants no access in another spelling', async ({ service, world }) => {
    const { callers, image } = world
    const { id } = callers.USER
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
      for (const person of [undefined, callers.USER, callers.other]) {
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

  it('needs the same token for HEAD as for GET', async ({ service, world }) => {
    const reads = operations.filter((operation) => operation.method === 'GET' && isBearer(operation))
    expect(reads.length).toBeGreaterThan(4)
    for (const operation of reads) {
      for (const role of columns) {
        const [path, call] = requestOf(world, operation, role)
        const answer = await service.call('HEAD', path, call)
        expect(answer.status, `HEAD ${path} as ${role}`).toBe(expected.get(operation.operationId)![role])
        expect(answer.text).toBe('')
      }
    }
  })
})

describe('an id', () => {
  /** Texts that are no id. Its letters may be in any case (RFC 9562 §4), and nothing else may differ. */
  const misspelled = (id: string, foreign: string): string[] => [
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

  it('of another user’s session, or in another spelling, ends no session', async ({ world }) => {
    const { callers, image } = world
    const { other } = callers
    const own = other.sessionId
    const foreign = callers.USER.sessionId
    const unknown = '01936f6e-0000-7000-8000-000000000000'
    for (const id of [
      foreign,
      unknown,
      callers.USER.id,
      other.id,
      ...misspelled(own, foreign),
      ...misspelled(foreign, own),
    ]) {
      await other.endSession(id).refused(404, 'not_found')
    }
    expect(await takeImage()).toEqual(image)
    // The same bytes for a session of another user and for one that does not exist.
    const [theirs, nobodys] = await Promise.all(
      [foreign, unknown].map((id) => other.from({ headers }).endSession(id).answer),
    )
    expect(bytesOf(theirs!)).toEqual(bytesOf(nobodys!))
    await other.endSession(own)
  })

  it('of a user in another spelling is found by no operation', async ({ service, world }) => {
    const { callers, image } = world
    const acts = operations.filter(
      ({ path, operationId }) => path.includes('/users/{id}') && operationId !== 'endMySession',
    )
    expect(acts).toHaveLength(12)
    for (const { method, path, operationId, requestBody } of acts) {
      const body = requestBody?.content['application/json']?.example
      for (const id of misspelled(callers.USER.id, callers.other.id)) {
        const answer = await service.call(method, path.replace('{id}', id), {
          token: callers.ADMIN.accessToken,
          ...(body !== undefined && { body }),
        })
        expect(answer.json, `${operationId} ${id}`).toMatchObject({ code: 'not_found' })
      }
    }
    expect(await takeImage()).toEqual(image)
  })

  it('in a body or a query is ignored in favor of the token and the path', async ({ people, anonymous, world }) => {
    const { USER: ada, other } = world.callers
    const query = {
      id: ada.id,
      user_id: ada.id,
      userId: ada.id,
      sub: ada.id,
      email: ada.email,
      role: 'ADMIN',
      status: 'active',
    }
    expect((await other.call('getMe', { query })).id).toBe(other.id)
    expect(await other.call('updateMe', { query, body: { ...query, bio: 'mine' } })).toMatchObject({
      id: other.id,
      email: other.email,
      role: 'USER',
      bio: 'mine',
    })
    await other.call('listMySessions', { query }).refused(422, 'validation_failed')
    const change = { old_password: goodPassword, new_password: otherPassword, ...query }
    await other.call('changePassword', { query, body: change })
    await other.call('deleteMe', { query, body: { password: otherPassword, ...query } })
    await people.signIn(ada.email)
    await anonymous.login({ email: other.email, password: otherPassword }).refused(401, 'invalid_credentials')
  })
})

describe('an administrative act', () => {
  it('is refused to a MODERATOR on anybody but a USER, and to an ADMIN on the own account', async ({
    service,
    people,
    world,
  }) => {
    const { MODERATOR: moderator, ADMIN: admin } = world.callers
    const peer = await people.signUpAs('MODERATOR', 'peer@example.com')
    await service.deliver()
    const image = await takeImage()
    for (const target of [peer, admin]) {
      await moderator.moderateProfile(target, { bio: 'x' }).refused(403, 'insufficient_permission')
      await moderator.suspend(target).refused(403, 'insufficient_permission')
      await moderator.reinstate(target).refused(403, 'insufficient_permission')
    }
    await admin.assignRole(admin, 'USER').refused(409, 'own_account')
    await admin.suspend(admin).refused(409, 'own_account')
    await admin.deleteUser(admin).refused(409, 'own_account')
    expect(await takeImage()).toEqual(image)
  })
})

describe('a change of role', () => {
  it('applies at once, whatever role a token names', async ({ world }) => {
    const { USER: ada, other, MODERATOR: moderator, ADMIN: admin } = world.callers
    const setRole = (person: Person, role: string) => write('update users set role = ? where id = ?', role, person.id)
    // In the database alone, so that the sessions stay alive.
    await setRole(moderator, 'USER')
    await moderator.users().refused(403, 'insufficient_permission')
    await setRole(other, 'MODERATOR')
    await other.users()

    // By the API, which ends every session of the old role.
    await admin.assignRole(ada, 'ADMIN')
    await ada.users().refused(401, 'invalid_token')
    await ada.verify().refused(401, 'invalid_token')
  })
})
