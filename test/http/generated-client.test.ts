/** What clients that a generator made from the document send, where a person writing a request would send less. */
import { expect } from 'vitest'
import { codeOf, sessionOf } from '../support/answers.ts'
import { type Input, type OperationId, type Success, callOperation, documented, takesToken } from '../support/api.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import { minute } from '../support/clock.ts'
import { mistakesForClients } from '../support/conformance.ts'
import { type Schema, resolve } from '../support/description.ts'
import { App, factorTokenIn } from '../support/factors.ts'
import { it } from '../support/fixtures.ts'
import { goodPassword, otherPassword } from '../support/passwords.ts'
import type { Service } from '../support/service.ts'
import { write } from '../support/state.ts'

interface Dialect {
  client: string
  headers: Record<string, string>
  /** The content type of a request with a body. */
  contentType: string
  /** Whether a POST or DELETE without parameters has an empty body, with a content type. */
  sendsEmptyBody: boolean
}

const dialects: Dialect[] = [
  {
    client: 'swift-openapi-generator with URLSession',
    headers: {
      Accept: 'application/json, application/problem+json;q=0.9',
      'Accept-Language': 'de-DE,de;q=0.9',
      'User-Agent': 'Notes/1 CFNetwork/1568.100.1 Darwin/24.0.0',
    },
    contentType: 'application/json; charset=utf-8',
    sendsEmptyBody: false,
  },
  {
    client: 'openapi-generator for Kotlin with OkHttp',
    headers: { Accept: 'application/json', 'Accept-Encoding': 'gzip', 'User-Agent': 'okhttp/4.12.0' },
    contentType: 'application/json',
    sendsEmptyBody: true,
  },
]

/** The JSON body that an operation takes, if it takes one. */
function bodySchemaOf(operation: string) {
  const schema = documented.get(operation)?.requestBody?.content['application/json']?.schema
  return schema && (resolve(schema) as { properties?: Record<string, Schema>; required?: string[] })
}

function optionalMembersOf(operation: string): string[] {
  const { properties = {}, required = [] } = bodySchemaOf(operation) ?? {}
  return Object.keys(properties).filter((name) => !required.includes(name))
}

const uuid = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g
const upper = (text: string) => text.replace(uuid, (id) => id.toUpperCase())

/** Sends as such a client does, and reads as one does: by the schema of the answer, which may have members to come. */
class GeneratedClient {
  readonly #service: Service
  readonly #dialect: Dialect
  token: string | undefined
  /** Every operation that was called, and each member that was sent as null. */
  readonly called = new Set<string>()
  readonly nulls = new Set<string>()

  constructor(service: Service, dialect: Dialect) {
    this.#service = service
    this.#dialect = dialect
  }

  async call<Id extends OperationId>(
    operation: Id,
    { id, query, body }: { id?: string; query?: Record<string, string>; body?: Record<string, unknown> } = {},
  ): Promise<Success<Id>> {
    this.called.add(operation)
    const { headers, contentType } = this.#dialect
    const raw = this.#contentOf(operation, body)
    const input: Input = {
      headers: { ...headers, ...(raw !== undefined && { 'Content-Type': contentType }) },
      ...(raw !== undefined && { raw }),
      ...(takesToken(operation) && { token: this.token! }),
      ...(id !== undefined && { id: upper(id) }),
      ...(query && { query: upper(new URLSearchParams(query).toString()) }),
    }
    const reply = callOperation(this.#service, operation, input)
    const answer = await reply.answer
    expect(codeOf(answer), `${operation} ${answer.text}`).toBeUndefined()
    const { content } = resolve(documented.get(operation)!.responses[String(answer.status)]!)
    const schema = content?.['application/json']?.schema
    expect(schema === undefined, operation).toBe(answer.text === '')
    // A decoder made from this schema takes the answer, and ignores what a later version adds.
    for (const more of [{}, { added_later: { to: null } }]) {
      if (schema) expect(mistakesForClients(schema, { ...(answer.json as object), ...more }), operation).toEqual([])
    }
    return reply
  }

  /** The body with a null for each optional member that was not given. */
  #contentOf(operation: OperationId, given: Record<string, unknown> = {}): string | undefined {
    if (!bodySchemaOf(operation)) {
      return this.#dialect.sendsEmptyBody && documented.get(operation)!.method !== 'GET' ? '' : undefined
    }
    const absent = optionalMembersOf(operation).filter((name) => !(name in given))
    for (const name of absent) this.nulls.add(`${operation} ${name}`)
    return JSON.stringify({ ...given, ...Object.fromEntries(absent.map((name) => [name, null])) })
  }
}

/** Operations that people call and in which such a client differs: those with an id, or a body. */
const different = [...documented.values()]
  .filter(
    ({ operationId, parameters = [] }) => bodySchemaOf(operationId) || parameters.some(({ schema }) => isId(schema)),
  )
  .map(({ operationId }) => operationId)

function isId(schema: Schema): boolean {
  return JSON.stringify(schema).includes('"uuid"')
}

it.for(dialects)(
  'a generated client with upper-case ids and explicit nulls does the whole job: $client',
  async (dialect, { service, inbox, people, anonymous }) => {
    const email = 'ada@example.com'
    const ada = new GeneratedClient(service, dialect)
    const linkToken = async () => {
      await service.deliver()
      return inbox.linkToken(email)
    }

    await ada.call('register', { body: { email, password: goodPassword } })
    await linkToken()
    service.clock.advance(2 * minute)
    await ada.call('resendActivation', { body: { email } })
    const activated = await ada.call('activate', { body: { token: await linkToken(), password: goodPassword } })
    expect(activated.user).toMatchObject({ email, status: 'active', first_name: null, locale: null })
    const { id } = activated.user

    await ada.call('requestPasswordReset', { body: { email } })
    await ada.call('completePasswordReset', { body: { token: await linkToken(), new_password: otherPassword } })
    const signedIn = await ada.call('login', { body: { email, password: otherPassword } })
    ada.token = signedIn.access_token

    expect((await ada.call('getMe')).id).toBe(id)
    const changes = { first_name: 'Ada', last_name: 'Lovelace', locale: 'en-GB' }
    expect(await ada.call('updateMe', { body: changes })).toMatchObject({ ...changes, bio: null, avatar_url: null })
    // A member that is left out of such a request is null in it, and cleared.
    expect(await ada.call('updateMe', { body: { bio: 'x' } })).toMatchObject({ bio: 'x', first_name: null })

    const changed = await ada.call('changePassword', {
      body: { old_password: otherPassword, new_password: goodPassword, refresh_token: signedIn.refresh_token },
    })
    const refreshed = await ada.call('refresh', { body: { refresh_token: changed!.refresh_token } })
    ada.token = refreshed.access_token
    await ada.call('login', { body: { email, password: goodPassword, device_token: signedIn.device_token } })
    const { sessions } = await ada.call('listMySessions')
    expect(sessions).toHaveLength(2)
    await ada.call('endMySession', { id: sessions.find(({ current }) => !current)!.id })
    expect((await ada.call('listMySessions')).sessions).toMatchObject([{ current: true, id: sessionOf(ada.token) }])
    expect((await ada.call('listMyActivity')).events.length).toBeGreaterThan(3)

    const admin = new GeneratedClient(service, dialect)
    const { email: adminEmail } = await people.admin()
    admin.token = (await admin.call('login', { body: { email: adminEmail, password: goodPassword } })).access_token
    const bob = await people.pending('bob@example.com')

    expect((await admin.call('listUsers', { query: { status: 'pending' } })).users).toMatchObject([{ id: bob.id }])
    expect((await admin.call('getUser', { id })).id).toBe(id)
    expect((await admin.call('listSessionsOfUser', { id })).sessions).toHaveLength(1)
    expect(await admin.call('moderateProfile', { id, body: { bio: 'x' } })).toMatchObject({ first_name: null })
    expect(await admin.call('moderateProfile', { id, body: { first_name: 'A.' } })).toMatchObject({ bio: null })
    expect(await admin.call('suspendUser', { id, body: { reason: 'spam' } })).toMatchObject({ status: 'suspended' })
    expect(await admin.call('reinstateUser', { id })).toMatchObject({ status: 'active' })
    expect(await admin.call('assignRole', { id, body: { role: 'MODERATOR' } })).toMatchObject({ role: 'MODERATOR' })
    const { events } = await admin.call('listAuditEvents', { query: { user_id: id, limit: '100' } })
    const acts = ['user.suspended', 'user.reinstated', 'user.role_changed']
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(acts))
    expect((await admin.call('listEmails', { query: { user_id: id } })).emails.length).toBeGreaterThan(0)
    const from = '2026-01-01T00:00:00.000Z'
    expect(await admin.call('readAuditArchive', { query: { user_id: id, from } })).toBeDefined()
    await write("update users set email_problem = 'bounced' where id = ?", id)
    await admin.call('liftEmailSuppression', { id })
    await admin.call('startPasswordReset', { id })
    await admin.call('endSessionsOfUser', { id })
    expect(await admin.call('activateUser', { id: bob.id })).toMatchObject({ id: bob.id, status: 'active' })
    await admin.call('deleteUser', { id: bob.id })

    const cora = new GeneratedClient(service, dialect)
    const { id: coraId, email: coraEmail, accessToken } = await people.signUp('cora@example.com')
    cora.token = accessToken
    const { setup_token, secret } = await cora.call('startTotp')
    const app = new App(secret, service.clock)
    const confirmed = await cora.call('confirmTotp', { body: { setup_token, code: app.code() } })
    const device = createAuthenticator()
    const { challenge_token, public_key } = await cora.call('passkeyEnrolmentOptions')
    const credential = await device.create(public_key)
    const passkey = await cora.call('addPasskey', { body: { challenge_token, credential } })
    expect(await cora.call('renamePasskey', { id: passkey.id, body: { name: 'Phone' } })).toMatchObject({
      name: 'Phone',
    })
    const [first, second] = confirmed.recovery_codes!
    service.clock.advance(minute)
    for (const factor of [{ totp: app.code() }, { recovery_code: first }]) {
      const credentials = { email: coraEmail, password: goodPassword }
      const asked = await anonymous.login(credentials).refused(403, 'second_factor_required')
      await cora.call('secondFactor', { body: { factor_token: factorTokenIn(asked), ...factor } })
    }
    const options = await cora.call('passkeySignInOptions')
    const assertion = await device.get(options.public_key)
    const body = { challenge_token: options.challenge_token, credential: assertion }
    cora.token = (await cora.call('signInWithPasskey', { body })).access_token
    service.clock.advance(minute)
    for (const factor of [{ totp: app.code() }, { recovery_code: second }]) await cora.call('stepUp', { body: factor })
    await cora.call('removePasskey', { id: passkey.id })
    await admin.call('resetFactors', { id: coraId, body: { reason: 'Lost the phone' } })

    const again = await ada.call('login', { body: { email, password: goodPassword } })
    await ada.call('logout', { body: { refresh_token: again.refresh_token } })
    ada.token = (await ada.call('login', { body: { email, password: goodPassword } })).access_token

    const moved = 'ada.new@example.com'
    await ada.call('changeEmail', { body: { email: moved } })
    await service.deliver()
    await ada.call('confirmEmail', { body: { token: inbox.linkToken(moved) } })
    await ada.call('revertEmail', { body: { token: await linkToken() } })
    await ada.call('requestPasswordReset', { body: { email } })
    await ada.call('completePasswordReset', { body: { token: await linkToken(), new_password: goodPassword } })
    ada.token = (await ada.call('login', { body: { email, password: goodPassword } })).access_token
    await ada.call('deleteMe', { body: { password: goodPassword } })
    expect((await admin.call('listUsers')).users).toHaveLength(2)

    // Nothing in which these clients differ was left out, and each optional member was null once.
    const called = new Set([...ada.called, ...admin.called, ...cora.called])
    expect(different.filter((operation) => !called.has(operation))).toEqual([])
    const given = [
      'changePassword old_password',
      'changePassword refresh_token',
      'deleteMe password',
      'refresh refresh_token',
      'logout refresh_token',
    ]
    const optional = different.flatMap((name) => optionalMembersOf(name).map((member) => `${name} ${member}`))
    const nulls = new Set([...ada.nulls, ...admin.nulls, ...cora.nulls])
    expect(optional.filter((member) => !nulls.has(member)).toSorted()).toEqual(given.toSorted())
  },
)
