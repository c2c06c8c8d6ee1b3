/**
 * The session and its tokens. The storage is the source of truth: it is read again before each use, so that tabs and
 * clients with a common storage use each other's tokens. Writers take turns, and a failed refresh ends the session only
 * if the refused token is still the stored one.
 */
import { type Change, type ChangeReason, differ, keepListeners } from './changes.ts'
import { keepDevices } from './devices.ts'
import { type ClientStorage, defaultStorage, isBrowser, onReturn, takeTurns, untilStored } from './platform.ts'
import { PosternError } from './problem.ts'
import type { SignInAnswer, TokenAnswer, User } from './types.ts'
import { type Fetch, openWire } from './wire.ts'

export interface ClientOptions {
  /** The origin of the service, such as `https://accounts.example.com`. */
  url: string
  /**
   * `cookie`, only for pages of the service's own origin: the refresh token is in a cookie that no script can read, and
   * the access token in memory. Default: `bearer`, with both in the storage.
   */
  transport?: 'bearer' | 'cookie'
  /** Default: `localStorage` in browsers, memory elsewhere. */
  storage?: ClientStorage
  /**
   * Whether other tabs use the same storage, so that they take turns and tell each other. Default: true in browsers.
   */
  shared?: boolean
  /** Another way to send a request, such as a service binding. */
  fetch?: Fetch
  /** The time in milliseconds, for tests. */
  now?: () => number
}

/** A token this close to its expiry is renewed first, because the request takes time, too. */
const leewayMs = 10_000
/** No tab may keep the others waiting longer than this. */
const refreshTimeoutMs = 20_000

interface Held {
  /** A random name of the sign-in. In the cookie transport nothing else is stored. */
  id: string
  accessToken?: string
  /** In milliseconds, by the clock of this machine. */
  expiresAt?: number
  refreshToken?: string | undefined
  user?: User
}

export function keepSession(options: ClientOptions) {
  const { transport = 'bearer', shared = isBrowser, now = Date.now, storage = defaultStorage() } = options
  const isCookie = transport === 'cookie'
  const url = options.url.replace(/\/$/, '')
  const { send, exchange, ask } = openWire(url, options.fetch)
  const key = `postern:${url}:${transport}`
  const { deviceToken, keepDeviceToken } = keepDevices(storage, `postern:${url}:device`)
  const takeTurn = takeTurns(storage, shared ? key : undefined)
  const { announce, user, onChange, close } = keepListeners(shared ? key : undefined, hear)
  /** What the cookie transport keeps out of the storage. Valid only while the storage names the same sign-in. */
  let memory: Held | undefined
  let renewing: Promise<void> | undefined

  onReturn(() => void read().then(notice))

  async function read(): Promise<Held | undefined> {
    const text = await storage.getItem(key)
    if (!text) return undefined
    try {
      const held = JSON.parse(text) as Held
      return memory?.id === held.id ? memory : held
    } catch {
      return undefined
    }
  }

  async function write(held: Held): Promise<void> {
    if (isCookie) memory = held
    await storage.setItem(key, JSON.stringify(isCookie ? { id: held.id } : held))
  }

  async function forget(reason: ChangeReason): Promise<void> {
    memory = undefined
    await storage.removeItem(key)
    announce(reason, null)
  }

  /** Another tab changed something. The storage decides, and may show the change later than the message. */
  async function hear({ reason, user: told }: Change): Promise<void> {
    const agrees = (held: Held | undefined) => (held && told && isCookie) || held?.user?.id === told?.id
    let held = await read()
    for (let tries = 0; tries < 20 && !agrees(held); tries++) {
      await untilStored()
      held = await read()
    }
    const next = agrees(held) ? told : (held?.user ?? null)
    if (memory && next) memory.user = next
    if (differ(next, user())) announce(reason, next, false)
  }

  /** Announces what the storage says, if this client has not seen it yet. */
  function notice(held: Held | undefined): void {
    const known = user()
    const next = held ? (held.user ?? known) : null
    if (!differ(next, known)) return
    if (!next) announce('signed_out', null, false)
    else announce(known ? (known.id === next.id ? 'user_changed' : 'signed_in') : 'restored', next, false)
  }

  function isFresh({ accessToken, expiresAt = 0 }: Held): boolean {
    return accessToken !== undefined && expiresAt - leewayMs > now()
  }

  function heldFrom(answer: TokenAnswer, id: string): Held {
    return {
      id,
      accessToken: answer.access_token,
      expiresAt: now() + answer.expires_in * 1000,
      refreshToken: answer.refresh_token,
      user: answer.user,
    }
  }

  /**
   * Repeated once when there is no answer: the service may have rotated the token already, and answers the same
   * successor for 30 seconds.
   */
  async function askForTokens({ refreshToken }: Held): Promise<TokenAnswer> {
    const signal = AbortSignal.timeout(refreshTimeoutMs)
    const body = isCookie ? { transport } : { refresh_token: refreshToken }
    const request = { method: 'post', path: '/auth/refresh', body, signal }
    const answer = await ask(request).catch((error: unknown) => {
      if (signal.aborted || (error as PosternError).code !== 'network_error') throw error
      return ask(request)
    })
    return answer as TokenAnswer
  }

  /** Refreshes unless another tab has done so already. Concurrent callers wait for the same refresh. */
  function renew(stale: Held): Promise<void> {
    renewing ??= takeTurn(() => refresh(stale)).finally(() => {
      renewing = undefined
    })
    return renewing
  }

  async function refresh(stale: Held): Promise<void> {
    const held = await read()
    if (!held || (held.accessToken !== stale.accessToken && isFresh(held))) return
    let answer: TokenAnswer
    try {
      answer = await askForTokens(held)
    } catch (error) {
      if (!endsSession(error)) throw error
      // Without Web Locks another tab may have signed in again or used this very token in the meantime.
      if (!(await isStillStored(held))) return
      await forget('session_ended')
      throw error
    }
    if (!(await isStillStored(held))) return
    await write(heldFrom(answer, held.id))
    const known = user()
    if (differ(answer.user, known)) announce(known ? 'user_changed' : 'restored', answer.user, known !== null)
  }

  async function isStillStored({ id, refreshToken }: Held): Promise<boolean> {
    const held = await read()
    return held?.id === id && held.refreshToken === refreshToken
  }

  /** The stored session, with an access token that is not about to expire. */
  async function current(): Promise<Held & { accessToken: string }> {
    // Another tab may sign in as someone else while this one waits, so one attempt may not be enough.
    for (let tries = 0; tries < 3; tries++) {
      const held = await read()
      notice(held)
      if (!held) break
      const { accessToken } = held
      if (accessToken !== undefined && (tries > 0 || isFresh(held))) return { ...held, accessToken }
      await renew(held)
    }
    throw new PosternError({ code: 'invalid_token', status: 401, detail: 'Nobody is signed in.' })
  }

  /**
   * Calls with an access token, and repeats the call once with a new token after a 401.
   *
   * @throws {PosternError} `invalid_token` when nobody is signed in, or the error of the refresh
   */
  async function withToken(call: (accessToken: string) => Promise<Response>, isRepeatable = true): Promise<Response> {
    const held = await current()
    const response = await call(held.accessToken)
    if (response.status !== 401 || !isRepeatable) return response
    await response.body?.cancel()
    await renew(held)
    const { accessToken } = await current()
    return call(accessToken)
  }

  return {
    isCookie,
    send,
    exchange,
    ask,
    withToken,
    accessToken: async () => (await current()).accessToken,
    user,
    onChange,
    close,
    refreshToken: async () => (await read())?.refreshToken,
    deviceToken,

    async begin(answer: SignInAnswer): Promise<User> {
      await takeTurn(async () => {
        await write(heldFrom(answer, String(Math.random())))
        await keepDeviceToken(answer.device_token)
        announce('signed_in', answer.user)
      })
      return answer.user
    },

    end: () =>
      takeTurn(async () => {
        if (await read()) await forget('signed_out')
      }),

    /** Stores what the service says about the user, if the same user is still signed in. */
    async learn(next: User): Promise<void> {
      if (!differ((await read())?.user, next)) return
      await takeTurn(async () => {
        const held = await read()
        if (held?.user?.id !== next.id) return
        await write({ ...held, user: next })
        announce('user_changed', next)
      })
    },

    restore: async (): Promise<User | null> => {
      const held = await read()
      if (held && !isFresh(held)) {
        await renew(held).catch((error: unknown) => {
          // Until the service can be reached again, the last known user counts as signed in.
          if (!endsSession(error) && !held.user) throw error
        })
      }
      notice(await read())
      return user()
    },
  }
}

/** Whether a refresh was refused for good. Any other failure, such as no network or a rate limit, may pass. */
function endsSession(error: unknown): boolean {
  const { code } = error as PosternError
  return code === 'invalid_refresh_token' || code === 'refresh_token_reused'
}
