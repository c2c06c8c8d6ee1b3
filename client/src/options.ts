import { type ClientStorage, isBrowser, platform, tryTo } from './platform.ts'
import type { Fetch } from './wire.ts'

export interface ClientOptions {
  /** The origin of the service, such as `https://accounts.example.com`. */
  url: string
  /**
   * `cookie`, only for pages of the service's own origin: the refresh token is in a cookie that no script can read, and
   * the access token in memory. Default: `bearer`, with both in the storage.
   */
  transport?: 'bearer' | 'cookie'
  /**
   * The origins that `fetch` may give the access token to, such as `https://api.example.com`. Default: that of `url`. When
   * given, the list has to name that one, too, if `fetch` is to call it.
   */
  origins?: readonly string[]
  /** Default: `localStorage` in browsers that permit it, memory elsewhere. */
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

/**
 * Names the mistakes that would otherwise look like a missing network, or that would show one visitor's data to another.
 *
 * @returns the origins of the service and of whom else may get the token
 * @throws {TypeError}
 */
export function checkOptions({ url, origins = [url], transport = 'bearer', storage }: ClientOptions) {
  const origin = originOf('url', url)
  if (transport !== 'bearer' && transport !== 'cookie') throw mistake(`transport is "${String(transport)}"`)
  const page = platform.location?.origin
  if (isBrowser && transport === 'cookie' && page !== origin) {
    throw mistake(`the cookie is only for pages of ${origin}, and this one is of ${page}`)
  }
  if (!storage && isGlobalScopeOfWorker()) {
    throw mistake('all requests to this Worker would share one session: make a client for each request')
  }
  return { url: origin, origins: origins.map((other) => originOf('origins', other)) }
}

function originOf(option: string, text: unknown): string {
  const url = tryTo(() => new URL(String(text)))
  const isOrigin = url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`
  if (!isOrigin) throw mistake(`${option} needs an origin such as https://accounts.example.com, not "${String(text)}"`)
  return url.origin
}

function mistake(what: string): TypeError {
  return new TypeError(`createClient: ${what}`)
}

/** Cloudflare Workers make no random values before the first request. */
function isGlobalScopeOfWorker(): boolean {
  const isWorker = platform.navigator?.userAgent === 'Cloudflare-Workers'
  return isWorker && tryTo(() => platform.crypto?.randomUUID?.()) === undefined
}
