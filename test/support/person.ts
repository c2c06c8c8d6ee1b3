/** People in tests: each handle is one session of one account, and keeps the tokens that it was made with. */
import { expect } from 'vitest'
import { sessionOf } from './answers.ts'
import { type BodyOf, type Success } from './api.ts'
import { Caller } from './caller.ts'
import type { Call, Service } from './service.ts'

export { goodPassword, otherPassword } from './passwords.ts'

type Tokens = Success<'refresh'>

export class Person extends Caller {
  readonly id: string
  readonly email: string
  readonly password: string
  readonly accessToken: string
  readonly refreshToken: string
  readonly sessionId: string
  readonly #tokens: Tokens

  constructor(service: Service, tokens: Tokens, password: string, defaults: Call = {}) {
    super(service, { token: tokens.access_token, ...defaults })
    this.#tokens = tokens
    expect(tokens.refresh_token, 'a refresh token in the answer').toBeDefined()
    this.id = tokens.user.id
    this.email = tokens.user.email
    this.password = password
    this.accessToken = tokens.access_token
    this.refreshToken = tokens.refresh_token!
    this.sessionId = sessionOf(tokens.access_token)
  }

  override from({ headers, ...more }: Call): Person {
    const defaults = { ...this.defaults, ...more, headers: { ...this.defaults.headers, ...headers } }
    return new Person(this.service, this.#tokens, this.password, defaults)
  }

  override at(service: Service): Person {
    return new Person(service, this.#tokens, this.password, this.defaults)
  }

  /** The same account with the tokens of an answer. */
  holding(tokens: Tokens, password = this.password): Person {
    const { token: _, ...defaults } = this.defaults
    return new Person(this.service, tokens, password, defaults)
  }

  /** Presents the refresh token of this handle, which keeps it: `renewed` gives a handle with the new one. */
  override refresh(token = this.refreshToken) {
    return super.refresh(token)
  }

  /** The same session with the tokens of a refresh that must succeed. */
  async renewed(): Promise<Person> {
    return this.holding(await this.refresh())
  }

  override logout(token = this.refreshToken) {
    return super.logout(token)
  }

  /** A new session of the same account. */
  async signIn(more: Partial<BodyOf<'login'>> = {}): Promise<Person> {
    const { email, password } = this
    return this.holding(await this.login({ email, password, ...more }), more.password)
  }

  override deleteMe(password = this.password) {
    return super.deleteMe(password)
  }

  override endSession(session: string | Person) {
    return super.endSession(typeof session === 'string' ? session : session.sessionId)
  }
}

/** Expects the session to be over for every kind of token it has. */
export async function expectEnded(person: Person): Promise<void> {
  await person.me().refused(401, 'invalid_token')
  await person.verify().refused(401, 'invalid_token')
  await person.refresh().refused(401, 'invalid_refresh_token')
}

/** Expects all tokens of the session to be good. Its refresh token is used up by that. */
export async function expectAlive(person: Person): Promise<void> {
  await person.me()
  await person.verify()
  await person.refresh()
}
