/** Sends requests to the service. */
import { isBrowser, platform } from './platform.ts'
import { PosternError, noAnswer, readAnswer, sendable, untilAnswered } from './problem.ts'

export interface Exchange {
  method: string
  path: string
  body?: unknown
  signal?: AbortSignal | undefined
}

export interface Target {
  path?: Record<string, string>
  query?: Record<string, string | number | undefined> | undefined
}

/** For the search of a reason only. */
const probeTimeoutMs = 3_000

export type Fetch = typeof globalThis.fetch

/** Written out: the compiler would name a type of the DOM in its place, which projects for Node do not have. */
export interface Wire {
  deliver: (signal: AbortSignal | null | undefined, ...request: Parameters<Fetch>) => Promise<Response>
  exchange: (request: Exchange, accessToken?: string) => Promise<Response>
  ask: (request: Exchange) => Promise<unknown>
}

/** Opens the way to the service at the origin `url`. */
export function openWire(url: string, fetch: Fetch | undefined): Wire {
  // Looked up at each call, and not called as a method: browsers refuse `fetch` with another `this`.
  const send: Fetch = fetch ?? ((...request) => globalThis.fetch(...request))
  /** Whether an answer has arrived from the service, which shows that it permits this page. */
  let isPermitted = !isBrowser || platform.location?.origin === url
  /** How many writes have ended, and how many of them before the refresh that gave the newest token. */
  let writes = 0
  let known = 0

  /**
   * @throws {PosternError} `network_error` when there is no answer; any answer is returned
   * @throws the reason of the signal when that aborts
   */
  async function deliver(signal: AbortSignal | null | undefined, ...request: Parameters<Fetch>): Promise<Response> {
    return untilAnswered(async () => {
      signal?.throwIfAborted()
      const response = await send(...request)
      if (typeof response?.status !== 'number') throw new TypeError('fetch returned no response')
      return response
    }, signal)
  }

  async function exchange({ method, path, body, signal }: Exchange, accessToken?: string): Promise<Response> {
    const headers: Record<string, string> = {}
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (accessToken !== undefined) headers['Authorization'] = `Bearer ${accessToken}`
    // A service with replicas answers from one that has what was written before the refresh.
    const before = writes
    if (method === 'get' && writes > known) headers['Cache-Control'] = 'no-cache'
    // Nothing, for no body.
    const text = sendable(() => JSON.stringify(body) as string | undefined)
    try {
      const response = await deliver(signal, url + path, {
        method: method.toUpperCase(),
        headers,
        redirect: 'manual',
        ...(text !== undefined && { body: text }),
        ...(signal && { signal }),
      })
      isPermitted = true
      if (path === '/auth/refresh' && response.ok) known = before
      return response
    } catch (error) {
      if (isPermitted || !(error instanceof PosternError) || !(await isKeptFromPage())) throw error
      throw noAnswer(error, `${url} does not permit pages of ${platform.location?.origin}: see its CORS_ORIGINS.`)
    } finally {
      if (accessToken !== undefined && method !== 'get') writes++
    }
  }

  /** Browsers do not tell a page why it gets no answer. A page that is not permitted can still send, but not read. */
  async function isKeptFromPage(): Promise<boolean> {
    const reach = (mode: 'cors' | 'no-cors') => {
      const settings = { mode, signal: AbortSignal.timeout(probeTimeoutMs) }
      return send(`${url}/healthz`, settings).then(
        () => true,
        () => false,
      )
    }
    return !(await reach('cors')) && reach('no-cors')
  }

  /** @throws {PosternError} for any answer but a success */
  async function ask(request: Exchange): Promise<unknown> {
    return readAnswer(await exchange(request), request.signal)
  }

  return { deliver, exchange, ask }
}

/** Fills in the parts of a path and adds the query. */
export function pathOf(path: string, { path: parts = {}, query = {} }: Target): string {
  const given = new Map(Object.entries(parts))
  const filled = path.replace(/{(\w+)}/g, (_, name: string) => encodeURIComponent(given.get(name)!))
  const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  const search = String(new URLSearchParams(asked as [string, string][]))
  return search ? `${filled}?${search}` : filled
}
