/**
 * The session and its tokens. The storage is the source of truth: it is read again before each use, so that tabs and
 * clients with a common storage use each other's tokens. Writers take turns, and a failed refresh ends the session only
 * if the refused token is still the stored one.
 */
import { type ChangeReason, differ, keepListeners } from './changes.ts'
import { keepDevices } from './devices.ts'
import { keepItem } from './item.ts'
import type { ClientOptions } from './options.ts'
import { defaultStorage, isBrowser, onReturn, untilStored } from './platform.ts'
import { PosternError, readAnswer, within } from './problem.ts'
import { askForTokens, endsSession } from './renewal.ts'
import { type Held, accessFrom, heldFrom, isUser, keepTime, newId, nobody, parseHeld, unknown } from './tokens.ts'
import { takeTurns } from './turns.ts'
import type { User } from './types.ts'
import type { Wire } from './wire.ts'

/** The other tabs wait for their turn meanwhile. */
const exchangeTimeoutMs = 20_000

export type SessionKeeper = ReturnType<typeof keepSession>

export function keepSession(wire: Wire, options: ClientOptions & { url: string }) {
  const { url, transport = 'bearer', shared = isBrowser, now = Date.now, storage = defaultStorage() } = options
  const isCookie = transport === 'cookie'
  const key = `postern:${url}:${transport}`
  const item = keepItem(storage, key)
  const devices = keepDevices(storage, url)
  const takeTurn = takeTurns(storage, shared ? key : undefined)
  const listeners = keepListeners(shared ? key : undefined, hear)
  const { announce, tell, user } = listeners
  const isFresh = keepTime(now)
  /** What this page wrote last. In the cookie transport it is valid while the storage names the same sign-in. */
  let mine: Held | undefined
  /** Refresh tokens that were exchanged or ended here. The service would take another use for theft. */
  const spent = new Set<string | undefined>()
  let renewing: Promise<void> | undefined

  const stopHearing = onReturn(() => void read().then((held) => notice(held)))

  async function read(): Promise<Held | undefined> {
    const text = await item.read()
    const held = parseHeld(text)
    if (isCookie) {
      if (text === nobody) return undefined
      return held && held.id !== mine?.id ? held : (mine ?? unknown)
    }
    if (!held?.refreshToken || !spent.has(held.refreshToken)) return held?.refreshToken ? held : undefined
    // Another tab wrote an old state again, or the storage lost what it had taken.
    if (mine) await write(mine, held.refreshToken)
    return mine
  }

  /** @param replaced the refresh token that the storage has, and must lose if it is another one */
  async function write(held: Held, replaced: string | undefined): Promise<void> {
    mine = held
    // Notes since when this page has the token.
    isFresh(held)
    const { id, refreshToken } = held
    if (isCookie) await item.write(JSON.stringify({ id }))
    else {
      const shorter = replaced === refreshToken ? undefined : JSON.stringify({ id, refreshToken })
      if (!(await item.write(JSON.stringify(held), shorter))) tell(JSON.stringify(held), replaced)
    }
  }

  /** Returns whether the next page knows of it. */
  async function forget(reason: ChangeReason, held: Held): Promise<boolean> {
    mine = undefined
    spend(held)
    const isStored = await (isCookie ? item.write(nobody) : item.write(null, ''))
    if (held !== unknown || user()) announce(reason, null)
    return isStored
  }

  function spend({ refreshToken }: Held): void {
    spent.add(refreshToken)
    // A page that stays open for days needs the latest only.
    if (spent.size > 50) spent.delete(spent.values().next().value)
  }

  /** Another tab changed something. The storage decides, and may show the change later than the message. */
  async function hear(data: unknown): Promise<void> {
    const { reason, user: told = null, unsaved, replaced } = (data ?? {}) as Partial<Record<string, unknown>>
    let held = await read()
    if (typeof unsaved === 'string') {
      // A late message must not bring back tokens that were replaced in the meantime.
      if (!held || held.refreshToken === replaced) await item.adopt(unsaved)
      return notice(await read())
    }
    if (typeof reason !== 'string' || !(told === null || isUser(told))) return undefined
    const agrees = (held: Held | undefined) => (held && told && isCookie) || held?.user?.id === told?.id
    for (let tries = 0; tries < 20 && !agrees(held); tries++) {
      await untilStored()
      held = await read()
    }
    const next = agrees(held) ? told : (held?.user ?? null)
    if (mine && next) mine.user = next
    if (differ(next, user())) announce(reason as ChangeReason, next, false)
  }

  /** Announces what the storage says, if this client has not seen it yet; to other tabs if it is `isNews` to them. */
  function notice(held: Held | undefined, isNews = false): void {
    const known = user()
    const next = held ? (held.user ?? known) : null
    if (!differ(next, known)) return
    if (!next) announce('signed_out', null, false)
    else if (!known) announce('restored', next, false)
    else announce(known.id === next.id ? 'user_changed' : 'signed_in', next, isNews)
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
    let next: Held
    try {
      const since = now()
      const answer = (found: unknown) => heldFrom(found, { id: held.id || newId(), since, isCookie })
      next = await askForTokens(wire, isCookie ? { transport } : { refresh_token: held.refreshToken }, answer)
    } catch (error) {
      if (!endsSession(error)) throw error
      // Without Web Locks another tab may have signed in again or used this very token in the meantime.
      if (!(await isStillStored(held))) return
      await forget('session_ended', held)
      if (held === unknown) return
      throw error
    }
    await replace(held, next)
  }

  /** Stores the tokens for which those of `held` were exchanged. */
  async function replace(held: Held, next: Held): Promise<void> {
    if (!(await isStillStored(held))) return
    spend(held)
    await write(next, held.refreshToken)
    notice(next, true)
  }

  async function isStillStored({ id, refreshToken }: Held): Promise<boolean> {
    const held = await read()
    return held?.id === id && held.refreshToken === refreshToken
  }

  /** The stored session, with an access token that is not about to expire. */
  async function current(): Promise<Held & { accessToken: string }> {
    // Another tab may sign in as someone else while this one waits, so one attempt may not be enough.
    for (let tries = 0; tries < 3; tries++) {
      let held = await read()
      // Another tab that cannot store its new tokens removes the old ones, and then says so.
      if (!held && user()) held = await untilStored().then(read)
      notice(held)
      if (!held) break
      const { accessToken } = held
      if (accessToken !== undefined && (tries > 0 || isFresh(held))) return { ...held, accessToken }
      await renew(held)
    }
    throw new PosternError({ code: 'invalid_token', status: 401, detail: 'Nobody is signed in.' })
  }

  return {
    isCookie,
    current,
    renew,
    user,
    onChange: listeners.onChange,
    close: () => {
      stopHearing()
      listeners.close()
    },
    refreshToken: async () => (await read())?.refreshToken,
    now,
    ...devices,

    /**
     * Takes the answer to a sign-in that was asked for at `since`.
     *
     * @throws {PosternError} `client_in_use` where `refuse` ends the new session, because somebody else is signed in
     */
    async begin(answer: unknown, since: number, refuse: (held: Held) => Promise<unknown>): Promise<User> {
      const next = heldFrom(answer, { id: newId(), since, isCookie })
      const signedIn = next.user!
      await takeTurn(async () => {
        // The memory of a server is shared by its visitors, unlike a storage that the app has chosen for them.
        const other = isBrowser || options.storage ? undefined : (await read())?.user
        if (other && other.id !== signedIn.id) {
          await refuse(next).catch(() => undefined)
          const detail = 'Somebody else is signed in with this client. On a server each request needs its own.'
          throw new PosternError({ code: 'client_in_use', status: 0, detail })
        }
        await write(next, (await read())?.refreshToken)
        announce('signed_in', signedIn)
        await devices.keepDevice(answer as object, signedIn.email)
      })
      return signedIn
    },

    /** Returns whether nothing of the session is left in the storage. */
    end: () =>
      takeTurn(async () => {
        const held = await read()
        return held ? forget('signed_out', held) : true
      }),

    /** Takes the access token of a step-up in the session `id`. The refresh token stays. */
    lift: (answer: unknown, { id, since }: { id: string; since: number }): Promise<void> =>
      takeTurn(async () => {
        const held = await read()
        if (held?.id === id) await write({ ...held, ...accessFrom(answer, since) }, held.refreshToken)
      }),

    /** Makes a call that may answer new tokens, which replace those of this session. Nobody refreshes meanwhile. */
    exchangeTokens: (call: (tokens: object, limit: AbortSignal) => Promise<Response>): Promise<Response> =>
      takeTurn(async () => {
        const held = await read()
        const since = now()
        return within(exchangeTimeoutMs, async (limit) => {
          const response = await call(isCookie ? { transport } : { refresh_token: held?.refreshToken }, limit)
          const answer = response.ok && (await readAnswer(response, limit))
          if (held && answer) await replace(held, heldFrom(answer, { id: held.id, since, isCookie }))
          return response
        })
      }),

    /** Stores what the service says about the user, if the same user is still signed in. */
    async learn(next: User): Promise<void> {
      if (!differ((await read())?.user, next)) return
      await takeTurn(async () => {
        const held = await read()
        if (held?.user?.id !== next.id) return
        await write({ ...held, user: next }, held.refreshToken)
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
