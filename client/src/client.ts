import { type Administration, openAdministration } from './administration.ts'
import { carryToken } from './bearer.ts'
import { type Call, type Input, listIn, one } from './call.ts'
import type { Change } from './changes.ts'
import { type Entrance, type Own, openEntrance } from './entrance.ts'
import { type Factors, type StepUp, openFactors } from './factors.ts'
import { type ClientOptions, checkOptions } from './options.ts'
import { readAnswer, sendable, unexpectedAnswer, untilAborted, untilAnswered, within } from './problem.ts'
import { keepSession } from './session.ts'
import { keepStepUps } from './step-up.ts'
import { isUser } from './tokens.ts'
import type {
  Acceptance,
  Answer,
  Body,
  CallAnswer,
  CallInput,
  CallOptions,
  Method,
  PathWith,
  Query,
  Session,
  User,
} from './types.ts'
import { type Exchange, type Fetch, openWire, pathOf } from './wire.ts'

/**
 * Everything a page or program does with Postern. A failed call rejects with a `PosternError`, an aborted one with the
 * `reason` of its signal, at once; nothing rejects with anything else.
 */
export interface Client extends Entrance, Factors {
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
  /**
   * Ends the session. In the bearer transport it ends here even if the service cannot be reached. Only the service can
   * delete the cookie: in the cookie transport the call then fails, and the session stays.
   */
  signOut: (options?: CallOptions) => Promise<void>
  /** Ends every session of the user, this one too. */
  signOutEverywhere: (options?: CallOptions) => Promise<void>

  me: (options?: CallOptions) => Promise<User>
  updateMe: (changes: Body<'updateMe'>, options?: CallOptions) => Promise<User>
  /** @param password required unless the account has none, or a second factor */
  deleteMe: (password?: string, options?: CallOptions) => Promise<void>
  /** Mails a link to the new address. The old one is told, and stays until the link is followed. */
  changeEmail: (email: string, options?: CallOptions) => Promise<Acceptance>
  /** @param token of the link that was mailed to the new address of the user who is signed in */
  confirmEmail: (token: string, options?: CallOptions) => Promise<User>
  /** @param token of the link that was mailed to the old address. It stops a change, and undoes it for 72 hours. */
  revertEmail: (token: string, options?: CallOptions) => Promise<void>
  /** Everything that the service holds about the user, as JSON. */
  exportAccount: (options?: CallOptions) => Promise<Blob>
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
  const { isCookie, now } = keeper
  const { withStepUp, noteStepUp, onStepUpRequired } = keepStepUps()
  const { withToken, fetch } = carryToken(keeper, wire, url, origins, withStepUp)
  const kept = isCookie ? { transport: 'cookie' } : {}

  const open = <T>(path: string, body: unknown, { signal }: CallOptions = {}) =>
    untilAborted(signal, wire.ask({ method: 'post', path: `/auth/${path}`, body, signal })) as Promise<T>
  const logOut = (body: object) =>
    within(logoutTimeoutMs, (limit) => wire.ask({ method: 'post', path: '/auth/logout', body, signal: limit }))

  async function send(method: Method, path: string, { signal, ...input }: Input): Promise<Response> {
    const request: Exchange = { method, path: sendable(() => pathOf(path, input)), body: input.body, signal }
    return withStepUp(() => withToken((token) => wire.exchange(request, token)))
  }

  const call: Call = <T>(method: Method, path: string, input: Input = {}) => {
    const { signal } = input
    return untilAborted(
      signal,
      send(method, path, input).then((found) => readAnswer(found, signal)),
    ) as Promise<T>
  }

  async function prove(body: object, signal: AbortSignal | undefined): Promise<StepUp> {
    const { id } = await keeper.current()
    const since = now()
    const request: Exchange = { method: 'post', path: '/auth/step-up', body, signal }
    const answer = await readAnswer(await withToken((token) => wire.exchange(request, token)), signal)
    await keeper.lift(answer, { id, since })
    noteStepUp()
    const { auth_time, acr } = answer as StepUp
    return { auth_time, acr }
  }

  /** A failure needs no answer: the old token lasts for some minutes, and is renewed then. */
  const renew = () =>
    keeper
      .current()
      .then(keeper.renew)
      .catch(() => undefined)

  async function exportAccount(signal: AbortSignal | undefined): Promise<Blob> {
    const response = await send('get', '/users/me/export', { signal })
    if (!response.ok) await readAnswer(response, signal)
    return untilAnswered(() => response.blob(), signal)
  }

  /** Makes a call whose answer is the user. */
  async function learnFrom(method: Method, path: string, input: Input = {}): Promise<User> {
    const user = await call(method, path, input)
    if (!isUser(user)) throw unexpectedAnswer('The answer is no user.')
    await untilAborted(input.signal, keeper.learn(user))
    return user
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
    const response = await withStepUp(() =>
      withToken((token) =>
        keeper.exchangeTokens((tokens, limit) => {
          signal?.throwIfAborted()
          const request = { method: 'post', path: '/auth/change-password', body: { ...body, ...tokens }, signal: limit }
          return wire.exchange(request, token)
        }),
      ),
    )
    if (!response.ok) await readAnswer(response)
  }

  return {
    get user() {
      return keeper.user()
    },
    restore: ({ signal } = {}) => untilAborted(signal, keeper.restore()),
    onChange: keeper.onChange,

    signUp: (account, options) => open('register', account, options),
    resendActivation: (email, returnTo, options) => open('resend-activation', { email, return_to: returnTo }, options),
    ...openEntrance(wire, keeper, logOut),
    ...openFactors({ call, prove, renew, onStepUpRequired }),
    signOut: ({ signal } = {}) => untilAborted(signal, signOut()),
    async signOutEverywhere(options) {
      await call('post', '/auth/logout-all', options)
      await untilAborted(options?.signal, leave())
    },

    me: (options) => learnFrom('get', '/users/me', options),
    updateMe: (body, options) => learnFrom('patch', '/users/me', { ...options, body }),
    async deleteMe(password, options) {
      await call('delete', '/users/me', { ...options, body: { password } })
      await untilAborted(options?.signal, leave())
    },
    changeEmail: (email, options) => call('post', '/users/me/email', { ...options, body: { email } }),
    confirmEmail: (token, options) => learnFrom('post', '/users/me/email/confirm', { ...options, body: { token } }),
    revertEmail: (token, options) => open('email/revert', { token }, options),
    exportAccount: ({ signal } = {}) => untilAborted(signal, exportAccount(signal)),
    activity: (query, options) => call('get', '/users/me/activity', { ...options, query }),
    sessions: (options) => listIn('sessions', call('get', '/users/me/sessions', options)),
    endSession: (id, options) => call('delete', '/users/me/sessions/{id}', one(id, options)),
    endOtherSessions: (options) => call('delete', '/users/me/sessions', options),

    changePassword: (body, { signal } = {}) => untilAborted(signal, changePassword(body, signal)),
    async requestPasswordReset(request, options) {
      const known = { device_token: await keeper.deviceToken(request.email) }
      return open('password-reset/request', { ...known, ...request }, options)
    },
    resetPassword: (proofs, options) => open('password-reset/complete', proofs, options),

    admin: openAdministration(call),
    request: (method, path, ...[input]) => call(method, path, input as Input),
    accessToken: async ({ signal } = {}) => (await untilAborted(signal, keeper.current())).accessToken,
    fetch,
    close: keeper.close,
  }
}
