import type { Change } from './changes.ts'
import { readAnswer } from './problem.ts'
import { type ClientOptions, keepSession } from './session.ts'
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
  SignInAnswer,
  User,
} from './types.ts'
import type { Exchange } from './wire.ts'

/** Properties that the client fills in by itself. */
type Own = 'transport' | 'device_token'

/** Calls about other users, each of which needs a permission. */
export interface Administration {
  users: (query?: Query<'listUsers'>, options?: CallOptions) => Promise<Answer<'listUsers'>>
  user: (id: string) => Promise<AdministeredUser>
  updateProfile: (id: string, changes: Body<'moderateProfile'>) => Promise<AdministeredUser>
  activate: (id: string) => Promise<AdministeredUser>
  assignRole: (id: string, role: Role) => Promise<AdministeredUser>
  suspend: (id: string, reason: string) => Promise<AdministeredUser>
  reinstate: (id: string) => Promise<AdministeredUser>
  /** Mails the user a link to set a new password. */
  startPasswordReset: (id: string) => Promise<Acceptance>
  sessions: (id: string) => Promise<Session[]>
  /** Signs the user out everywhere. */
  endSessions: (id: string) => Promise<void>
  deleteUser: (id: string) => Promise<void>
  /** The emails of the service and their outcomes. */
  emails: (query?: Query<'listEmails'>, options?: CallOptions) => Promise<Answer<'listEmails'>>
  /** Allows emails to an address again after a bounce or a complaint. */
  liftEmailSuppression: (id: string) => Promise<Answer<'liftEmailSuppression'>>
  auditEvents: (query?: Query<'listAuditEvents'>, options?: CallOptions) => Promise<Answer<'listAuditEvents'>>
  roles: () => Promise<{ role: Role; permissions: Permission[] }[]>
}

/**
 * Everything a page or program does with Postern. A failed call rejects with a `PosternError`, an aborted one with the
 * `AbortError`.
 */
export interface Client {
  /** Who is signed in, as far as the client knows: `null` until `restore`, a sign-in or a call has found out. */
  readonly user: User | null
  /**
   * Finds out who is still signed in from the last visit. Asks the service only when there is a session and its access
   * token is too old. Without an answer it returns the last known user, or fails when there is none.
   */
  restore: () => Promise<User | null>
  /** Calls the listener whenever the signed-in user changes, in another tab too. Returns a function that removes it. */
  onChange: (listener: (change: Change) => void) => () => void

  signUp: (account: Body<'register'>) => Promise<Acceptance>
  /** @param returnTo where the page behind the link leads, as `return_to` of `signUp` */
  resendActivation: (email: string, returnTo?: string) => Promise<Acceptance>
  /** Takes the token of the emailed link and the password of that registration, and signs in. */
  activate: (proofs: Omit<Body<'activate'>, Own>) => Promise<User>
  signIn: (credentials: Omit<Body<'login'>, Own>) => Promise<User>
  /**
   * Ends the session. In the bearer transport it ends here even if the service cannot be reached. Only the service can
   * delete the cookie: in the cookie transport the call then fails, and the session stays.
   */
  signOut: () => Promise<void>
  /** Ends every session of the user, this one too. */
  signOutEverywhere: () => Promise<void>

  me: () => Promise<User>
  updateMe: (changes: Body<'updateMe'>) => Promise<User>
  deleteMe: (password: string) => Promise<void>
  activity: (query?: Query<'listMyActivity'>, options?: CallOptions) => Promise<Answer<'listMyActivity'>>
  sessions: () => Promise<Session[]>
  endSession: (id: string) => Promise<void>
  endOtherSessions: () => Promise<void>

  changePassword: (passwords: Body<'changePassword'>) => Promise<void>
  requestPasswordReset: (request: Omit<Body<'requestPasswordReset'>, Own>) => Promise<Acceptance>
  resetPassword: (proofs: Body<'completePasswordReset'>) => Promise<void>

  admin: Administration

  /** Any call of the API that needs an access token, typed by its path. */
  request: <M extends Method, P extends PathWith<M>>(
    method: M,
    path: P,
    ...input: object extends CallInput<M, P> ? [CallInput<M, P>?] : [CallInput<M, P>]
  ) => Promise<CallAnswer<M, P>>
  /** An access token that is not about to expire, for a service behind Postern. */
  accessToken: () => Promise<string>
  /**
   * `fetch` with an access token, repeated once with a new one after a 401. Only for services that you trust with it.
   */
  fetch: (input: string | URL, init?: RequestInit) => Promise<Response>
  /** Stops listening to other tabs. */
  close: () => void
}

interface Input extends CallOptions {
  path?: Record<string, string>
  query?: Record<string, string | number | undefined>
  body?: unknown
}

/** A client of the Postern at `url`. One per page or process is enough; several work together. */
export function createClient(options: ClientOptions): Client {
  const keeper = keepSession(options)
  const { isCookie, ask, exchange, withToken } = keeper
  const kept = isCookie ? { transport: 'cookie' } : {}

  const open = <T>(path: string, body: unknown) => ask({ method: 'post', path: `/auth/${path}`, body }) as Promise<T>

  async function call<T>(
    method: Method,
    path: string,
    { path: parts = {}, query, body, signal }: Input = {},
  ): Promise<T> {
    const given = new Map(Object.entries(parts))
    const filled = path.replace(/{(\w+)}/g, (_, name: string) => encodeURIComponent(given.get(name)!))
    const asked = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== '')
    const search = String(new URLSearchParams(asked as [string, string][]))
    const request: Exchange = { method, path: search ? `${filled}?${search}` : filled, body, signal }
    return readAnswer(await withToken((token) => exchange(request, token))) as Promise<T>
  }

  async function aboutMe(answer: Promise<User>): Promise<User> {
    const user = await answer
    await keeper.learn(user)
    return user
  }

  /** Cleans up after a session that ended by its access token. Only the service can delete the cookie. */
  async function leave(): Promise<void> {
    if (isCookie) await open('logout', kept).catch(() => undefined)
    await keeper.end()
  }

  const one = (id: string) => ({ path: { id } })
  const admin: Administration = {
    users: (query = {}, { signal } = {}) => call('get', '/users', { query, ...(signal && { signal }) }),
    user: (id) => call('get', '/users/{id}', one(id)),
    updateProfile: (id, body) => call('patch', '/users/{id}/profile', { ...one(id), body }),
    activate: (id) => call('post', '/users/{id}/activate', one(id)),
    assignRole: (id, role) => call('put', '/users/{id}/role', { ...one(id), body: { role } }),
    suspend: (id, reason) => call('post', '/users/{id}/suspend', { ...one(id), body: { reason } }),
    reinstate: (id) => call('post', '/users/{id}/reinstate', one(id)),
    startPasswordReset: (id) => call('post', '/users/{id}/password-reset', one(id)),
    sessions: async (id) => (await call<Answer<'listSessionsOfUser'>>('get', '/users/{id}/sessions', one(id))).sessions,
    endSessions: (id) => call('delete', '/users/{id}/sessions', one(id)),
    deleteUser: (id) => call('delete', '/users/{id}', one(id)),
    emails: (query = {}, { signal } = {}) => call('get', '/emails', { query, ...(signal && { signal }) }),
    liftEmailSuppression: (id) => call('delete', '/users/{id}/email-suppression', one(id)),
    auditEvents: (query = {}, { signal } = {}) => call('get', '/audit-events', { query, ...(signal && { signal }) }),
    roles: async () => (await call<Answer<'listRoles'>>('get', '/roles')).roles,
  }

  return {
    get user() {
      return keeper.user()
    },
    restore: keeper.restore,
    onChange: keeper.onChange,

    signUp: (account) => open('register', account),
    resendActivation: (email, returnTo) => open('resend-activation', { email, return_to: returnTo }),
    activate: async (proofs) => keeper.begin(await open<SignInAnswer>('activate', { ...proofs, ...kept })),
    async signIn(credentials) {
      const known = { device_token: await keeper.deviceToken(credentials.email) }
      return keeper.begin(await open<SignInAnswer>('login', { ...known, ...credentials, ...kept }))
    },
    async signOut() {
      const token = await keeper.refreshToken()
      if (isCookie) await open('logout', kept)
      // The token is deleted here in any case, so nobody can use it even if the service was not reached.
      else if (token) await open('logout', { refresh_token: token }).catch(() => undefined)
      await keeper.end()
    },
    async signOutEverywhere() {
      await call('post', '/auth/logout-all')
      await leave()
    },

    me: () => aboutMe(call('get', '/users/me')),
    updateMe: (body) => aboutMe(call('patch', '/users/me', { body })),
    async deleteMe(password) {
      await call('delete', '/users/me', { body: { password } })
      await leave()
    },
    activity: (query = {}, { signal } = {}) => call('get', '/users/me/activity', { query, ...(signal && { signal }) }),
    sessions: async () => (await call<Answer<'listMySessions'>>('get', '/users/me/sessions')).sessions,
    endSession: (id) => call('delete', '/users/me/sessions/{id}', one(id)),
    endOtherSessions: () => call('delete', '/users/me/sessions'),

    changePassword: (body) => call('post', '/auth/change-password', { body }),
    async requestPasswordReset(request) {
      return open('password-reset/request', { device_token: await keeper.deviceToken(request.email), ...request })
    },
    resetPassword: (proofs) => open('password-reset/complete', proofs),

    admin,
    request: (method, path, ...[input]) => call(method, path, input as Input),
    accessToken: keeper.accessToken,
    fetch: (input, init) =>
      withToken(
        (token) => {
          const headers = new Headers(init?.headers)
          headers.set('Authorization', `Bearer ${token}`)
          return keeper.send(input, { ...init, headers })
        },
        // A stream can be sent once.
        !(init?.body instanceof ReadableStream),
      ),
    close: keeper.close,
  }
}
