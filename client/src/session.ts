/**
 * Who is signed in, and the tokens for it. The storage is the truth: it is read again before each use, so that tabs and
 * clients with one storage in common go on from each other's tokens. Whoever writes takes a turn, and a refresh that
 * fails ends the session only if the token that failed is still the stored one.
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
   * `cookie`, for pages of the service's own origin alone: the refresh token is in a cookie that no script can read, and
   * the access token in memory. Otherwise `bearer`: both are in the storage.
   */
  transport?: 'bearer' | 'cookie'
  /** `localStorage` in browsers and the memory elsewhere, unless given. */
  storage?: ClientStorage
  /** Whether the storage is that of other tabs, too, so that they take turns and tell each other. In browsers it is. */
  shared?: boolean
  /** Another way to send a request, such as a service binding. */
  fetch?: Fetch
  /** The time in milliseconds, for tests. */
  now?: () => number
}

/** Once a token is this close to its end a new one is asked for: the request takes time, too. */
const leewayMs = 10_000
/** No tab may keep the others waiting for longer. */
const refreshTimeoutMs = 20_000

interface Held {
  /** Which sign-in it is, by chance. In the cookie transport all that is stored. */
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
  /** What the cookie transport keeps from the storage. Counts for the sign-in that is stored, and no other. */
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

  /** Another tab changed something. What counts is the storage, which may learn of it later than this. */
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

  /** What is stored may be other than what this client has seen so far. */
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

  /** Once more when there is no answer: the service may have moved on, and for 30 seconds says again what got lost. */
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

  /** Asks for new tokens unless somebody has them already. Whoever comes meanwhile waits for the same ones. */
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
      // Without Web Locks another tab may have been faster, and signed in anew or used this very token.
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

  /** What is stored, with an access token that is good for a while. */
  async function current(): Promise<Held & { accessToken: string }> {
    // Another tab may sign in as somebody else while this one waits; more than that is not to be expected.
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
   * Calls with an access token, and once more with another one when that is refused.
   *
   * @throws {PosternError} `invalid_token` when nobody is signed in; what a refresh throws
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

    /** Takes note of what the service says about the user, if that is still who is signed in. */
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
          // Who was signed in when the service was last reached is what is known until it is reached again.
          if (!endsSession(error) && !held.user) throw error
        })
      }
      notice(await read())
      return user()
    },
  }
}

/** Whether a refresh was refused for good. Anything else, such as no network or too many calls, may pass. */
function endsSession(error: unknown): boolean {
  const { code } = error as PosternError
  return code === 'invalid_refresh_token' || code === 'refresh_token_reused'
}
