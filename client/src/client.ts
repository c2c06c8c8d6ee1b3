import { carryToken } from './bearer.ts'
import type { Change } from './changes.ts'
import { type ClientOptions, checkOptions } from './options.ts'
import { readAnswer, sendable, unexpectedAnswer, untilAborted, within } from './problem.ts'
import { keepSession } from './session.ts'
import { isUser } from './tokens.ts'
import type {
  Acceptance,
  AdministeredUser,
  Answer,
  Body,
  CallAnswer,
  CallInput,
  CallOptions,
  Method,
  PathWith,
  Permission,
  Query,
  Role,
  Session,
  User,
} from './types.ts'
import { type Exchange, type Fetch, type Target, openWire, pathOf } from './wire.ts'

/** Properties that the client fills in by itself. */
type Own = 'transport' | 'device_token' | 'refresh_token'

/** Calls about other users, each of which needs a permission. */
export interface Administration {
  users: (query?: Query<'listUsers'>, options?: CallOptions) => Promise<Answer<'listUsers'>>
  user: (id: string, options?: CallOptions) => Promise<AdministeredUser>
  updateProfile: (id: string, changes: Body<'moderateProfile'>, options?: CallOptions) => Promise<AdministeredUser>
  activate: (id: string, options?: CallOptions) => Promise<AdministeredUser>
  assignRole: (id: string, role: Role, options?: CallOptions) => Promise<AdministeredUser>
  suspend: (id: string, reason: string, options?: CallOptions) => Promise<AdministeredUser>
  reinstate: (id: string, options?: CallOptions) => Promise<AdministeredUser>
  /** Mails the user a link to set a new password. */
  startPasswordReset: (id: string, options?: CallOptions) => Promise<Acceptance>
  sessions: (id: string, options?: CallOptions) => Promise<Session[]>
  /** Signs the user out everywhere. */
  endSessions: (id: string, options?: CallOptions) => Promise<void>
  deleteUser: (id: string, options?: CallOptions) => Promise<void>
  /** The emails of the service and their outcomes. */
  emails: (query?: Query<'listEmails'>, options?: CallOptions) => Promise<Answer<'listEmails'>>
  /** Allows emails to an address again after a bounce or a complaint. */
  liftEmailSuppression: (id: string, options?: CallOptions) => Promise<Answer<'liftEmailSuppression'>>
  auditEvents: (query?: Query<'listAuditEvents'>, options?: CallOptions) => Promise<Answer<'listAuditEvents'>>
  roles: (options?: CallOptions) => Promise<{ role: Role; permissions: Permission[] }[]>
}

/**
 * Everything a page or program does with Postern. A failed call rejects with a `PosternError`, an aborted one with the
 * `reason` of its signal, at once; nothing rejects with anything else.
 */
export interface Client {
  /** Who is signed in, as far as the client knows: `null` until `restore`, a sign-in or a call has found out. */
  readonly user: User | null
  /**
   * Finds out who is still signed in from the last visit. Asks the service only when there may be a session and its access
   * token is too old. Without an answer it returns the last known user, or fails when there is none.
   */
  restore: (options?: CallOptions) => Promise<User | null>
  /** Calls the listener whenever the signed-in user changes, in another tab too. Returns a function that removes it. */
  onChange: (listener: (change: Change) => void) => () => void

  signUp: (account: Body<'register'>, options?: CallOptions) => Promise<Acceptance>
  /** @param returnTo where the page behind the link leads, as `return_to` of `signUp` */
  resendActivation: (email: string, returnTo?: string, options?: CallOptions) => Promise<Acceptance>
  /** Takes the token of the emailed link and the password of that registration, and signs in. */
  activate: (proofs: Omit<Body<'activate'>, Own>, options?: CallOptions) => Promise<User>
  signIn: (credentials: Omit<Body<'login'>, Own>, options?: CallOptions) => Promise<User>
  /**
   * Ends the session. In the bearer transport it ends here even if the service cannot be reached. Only the service can
   * delete the cookie: in the cookie transport the call then fails, and the session stays.
   */
  signOut: (options?: CallOptions) => Promise<void>
  /** Ends every session of the user, this one too. */
  signOutEverywhere: (options?: CallOptions) => Promise<void>

  me: (options?: CallOptions) => Promise<User>
  updateMe: (changes: Body<'updateMe'>, options?: CallOptions) => Promise<User>
  deleteMe: (password: string, options?: CallOptions) => Promise<void>
  activity: (query?: Query<'listMyActivity'>, options?: CallOptions) => Promise<Answer<'listMyActivity'>>
  sessions: (options?: CallOptions) => Promise<Session[]>
  endSession: (id: string, options?: CallOptions) => Promise<void>
  endOtherSessions: (options?: CallOptions) => Promise<void>

  /**
   * This session goes on with new tokens; what anybody else has of it stops working, and every other session ends. When the
   * answer is lost, the call fails, and so does the next refresh if the password was changed.
   */
  changePassword: (passwords: Omit<Body<'changePassword'>, Own>, options?: CallOptions) => Promise<void>
  requestPasswordReset: (request: Omit<Body<'requestPasswordReset'>, Own>, options?: CallOptions) => Promise<Acceptance>
  resetPassword: (proofs: Body<'completePasswordReset'>, options?: CallOptions) => Promise<void>

  admin: Administration

  /** Any call of the API that needs an access token, typed by its path. */
  request: <M extends Method, P extends PathWith<M>>(
    method: M,
    path: P,
    ...input: object extends CallInput<M, P> ? [CallInput<M, P>?] : [CallInput<M, P>]
  ) => Promise<CallAnswer<M, P>>
  /** An access token that is not about to expire, for a service behind Postern. */
  accessToken: (options?: CallOptions) => Promise<string>
  /**
   * `fetch` with an access token, repeated once with a new one after a 401. A path is relative to `url`. The token goes to
   * the `origins` of the options only, any other call fails with `origin_not_listed`. Redirects are not followed.
   */
  fetch: Fetch
  /**
   * Stops listening to other tabs and telling them. Everything else goes on working, and can be called again: other tabs see
   * the changes of a closed client at their next call.
   */
  close: () => void
}

interface Input extends CallOptions, Target {
  body?: unknown
}

/** A page that signs out waits no longer for the service. */
const logoutTimeoutMs = 10_000

/**
 * A client of the Postern at `url`, for one person: one for a page or a program, where several work together. On a server
 * make one for each request, never one for the process: it would show one visitor the account of another.
 *
 * @throws {TypeError} when an option is wrong
 */
export function createClient(options: ClientOptions): Client {
  const { url, origins } = checkOptions(options)
  const wire = openWire(url, options.fetch)
  const keeper = keepSession(wire, { ...options, url })
  const { isCookie } = keeper
  const { withToken, fetch } = carryToken(keeper, wire, url, origins)
  const kept = isCookie ? { transport: 'cookie' } : {}

  const open = <T>(path: string, body: unknown, { signal }: CallOptions = {}) =>
    untilAborted(signal, wire.ask({ method: 'post', path: `/auth/${path}`, body, signal })) as Promise<T>
  const logOut = (body: object) =>
    within(logoutTimeoutMs, (limit) => wire.ask({ method: 'post', path: '/auth/logout', body, signal: limit }))
  const begin = (answer: Promise<unknown>) =>
    keeper.begin(answer, ({ refreshToken }) => logOut(isCookie ? kept : { refresh_token: refreshToken }))

  async function call<T>(method: Method, path: string, { signal, ...input }: Input = {}): Promise<T> {
    const request: Exchange = { method, path: sendable(() => pathOf(path, input)), body: input.body, signal }
    const answer = withToken((token) => wire.exchange(request, token)).then((found) => readAnswer(found, signal))
    return untilAborted(signal, answer) as Promise<T>
  }

  async function aboutMe(method: Method, input: Input = {}): Promise<User> {
    const user = await call(method, '/users/me', input)
    if (!isUser(user)) throw unexpectedAnswer('The answer is no user.')
    await untilAborted(input.signal, keeper.learn(user))
    return user
  }

  async function listOf<T>(name: string, path: string, input?: Input): Promise<T[]> {
    const list = new Map(Object.entries(await call<Record<string, T[]>>('get', path, input))).get(name)
    if (!Array.isArray(list)) throw unexpectedAnswer(`The answer has no ${name}.`)
    return list
  }

  /** Cleans up after a session that ended by its access token. Only the service can delete the cookie. */
  async function leave(): Promise<void> {
    if (isCookie) await logOut(kept).catch(() => undefined)
    await keeper.end()
  }

  async function signOut(): Promise<void> {
    const token = await keeper.refreshToken()
    let failure: unknown
    if (isCookie || token) {
      await logOut(isCookie ? kept : { refresh_token: token }).catch((error: unknown) => {
        if (isCookie) throw error
        failure = error
      })
    }
    // Deleted here, the token is of no use even if the service was not reached.
    if (!(await keeper.end()) && failure) throw failure
  }

  /** An abort does not reach the request itself, whose answer has the tokens to go on with. */
  async function changePassword(body: object, signal: AbortSignal | undefined): Promise<void> {
    const response = await withToken((token) =>
      keeper.exchangeTokens((tokens, limit) => {
        signal?.throwIfAborted()
        const request = { method: 'post', path: '/auth/change-password', body: { ...body, ...tokens }, signal: limit }
        return wire.exchange(request, token)
      }),
    )
    if (!response.ok) await readAnswer(response)
  }

  const one = (id: string, { signal }: CallOptions = {}, body?: unknown) => ({
    path: { id },
    body,
    ...(signal && { signal }),
  })
  const admin: Administration = {
    users: (query, options) => call('get', '/users', { ...options, query }),
    user: (id, options) => call('get', '/users/{id}', one(id, options)),
    updateProfile: (id, changes, options) => call('patch', '/users/{id}/profile', one(id, options, changes)),
    activate: (id, options) => call('post', '/users/{id}/activate', one(id, options)),
    assignRole: (id, role, options) => call('put', '/users/{id}/role', one(id, options, { role })),
    suspend: (id, reason, options) => call('post', '/users/{id}/suspend', one(id, options, { reason })),
    reinstate: (id, options) => call('post', '/users/{id}/reinstate', one(id, options)),
    startPasswordReset: (id, options) => call('post', '/users/{id}/password-reset', one(id, options)),
    sessions: (id, options) => listOf('sessions', '/users/{id}/sessions', one(id, options)),
    endSessions: (id, options) => call('delete', '/users/{id}/sessions', one(id, options)),
    deleteUser: (id, options) => call('delete', '/users/{id}', one(id, options)),
    emails: (query, options) => call('get', '/emails', { ...options, query }),
    liftEmailSuppression: (id, options) => call('delete', '/users/{id}/email-suppression', one(id, options)),
    auditEvents: (query, options) => call('get', '/audit-events', { ...options, query }),
    roles: (options) => listOf('roles', '/roles', options),
  }

  return {
    get user() {
      return keeper.user()
    },
    restore: ({ signal } = {}) => untilAborted(signal, keeper.restore()),
    onChange: keeper.onChange,

    signUp: (account, options) => open('register', account, options),
    resendActivation: (email, returnTo, options) => open('resend-activation', { email, return_to: returnTo }, options),
    activate: (proofs, options) =>
      untilAborted(options?.signal, begin(open('activate', { ...proofs, ...kept }, options))),
    async signIn(credentials, options) {
      const known = { device_token: await keeper.deviceToken(credentials.email) }
      return untilAborted(options?.signal, begin(open('login', { ...known, ...credentials, ...kept }, options)))
    },
    signOut: ({ signal } = {}) => untilAborted(signal, signOut()),
    async signOutEverywhere(options) {
      await call('post', '/auth/logout-all', options)
      await untilAborted(options?.signal, leave())
    },

    me: (options) => aboutMe('get', options),
    updateMe: (body, options) => aboutMe('patch', { ...options, body }),
    async deleteMe(password, options) {
      await call('delete', '/users/me', { ...options, body: { password } })
      await untilAborted(options?.signal, leave())
    },
    activity: (query, options) => call('get', '/users/me/activity', { ...options, query }),
    sessions: (options) => listOf('sessions', '/users/me/sessions', options),
    endSession: (id, options) => call('delete', '/users/me/sessions/{id}', one(id, options)),
    endOtherSessions: (options) => call('delete', '/users/me/sessions', options),

    changePassword: (body, { signal } = {}) => untilAborted(signal, changePassword(body, signal)),
    async requestPasswordReset(request, options) {
      const known = { device_token: await keeper.deviceToken(request.email) }
      return open('password-reset/request', { ...known, ...request }, options)
    },
    resetPassword: (proofs, options) => open('password-reset/complete', proofs, options),

    admin,
    request: (method, path, ...[input]) => call(method, path, input as Input),
    accessToken: async ({ signal } = {}) => (await untilAborted(signal, keeper.current())).accessToken,
    fetch,
    close: keeper.close,
  }
}
