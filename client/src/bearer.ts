/** Calls with an access token, which is renewed when a server refuses it. */
import { uptimeMs } from './platform.ts'
import { PosternError, isRedirect, sendable, unexpectedAnswer, untilAborted } from './problem.ts'
import type { Held } from './tokens.ts'
import type { Fetch, Wire } from './wire.ts'

/** After an origin has refused a new token as well, its next refusals cause no refresh for this long. */
const futileMs = 60_000

interface Tokens {
  current: () => Promise<Held & { accessToken: string }>
  renew: (stale: Held) => Promise<void>
}

/**
 * @param origins who may get the token from `fetch`
 * @param withStepUp repeats a call after the person has shown again who is there
 */
export function carryToken(
  { current, renew }: Tokens,
  { deliver }: Wire,
  url: string,
  origins: readonly string[],
  withStepUp: (call: () => Promise<Response>) => Promise<Response>,
) {
  /** By origin: until which uptime a refresh would not help. */
  const futile = new Map<string, number>()

  /**
   * Repeats the call once with a new token after a 401 that the token may have caused.
   *
   * @throws {PosternError} `invalid_token` when nobody is signed in, or the error of the refresh
   */
  async function withToken(
    call: (accessToken: string) => Promise<Response>,
    { origin = url, isRepeatable = true } = {},
  ): Promise<Response> {
    const held = await current()
    const response = await call(held.accessToken)
    if (!isRepeatable || !blamesToken(response) || uptimeMs() < (futile.get(origin) ?? 0)) return response
    response.body?.cancel().catch(() => undefined)
    await renew(held)
    const again = await call((await current()).accessToken)
    if (blamesToken(again)) futile.set(origin, uptimeMs() + futileMs)
    return again
  }

  const fetch = (async (input: RequestInfo | URL, init?: RequestInit) => {
    const from = typeof input === 'object' && 'url' in input ? input : undefined
    const target = sendable(() => new URL(from ? from.url : (input as string), url))
    const origin = origins.find((listed) => target.href.startsWith(`${listed}/`))
    if (origin === undefined) {
      const detail = `${target.origin} gets no access token: createClient was given other origins.`
      throw new PosternError({ code: 'origin_not_listed', status: 0, detail })
    }
    const headers = sendable(() => new Headers(init?.headers ?? from?.headers))
    const signal = init?.signal ?? from?.signal
    const call = async (token: string) => {
      headers.set('Authorization', `Bearer ${token}`)
      const more: RequestInit = { ...init, headers, redirect: 'manual' }
      const response = await (from
        ? deliver(
            signal,
            sendable(() => new Request(from.clone(), more)),
          )
        : deliver(signal, target.href, more))
      const isWanted = (init?.redirect ?? from?.redirect) === 'manual'
      if (isRedirect(response) && !isWanted) throw unexpectedAnswer('A redirect would take the token along.', response)
      return response
    }
    // A stream can be sent once.
    const isRepeatable = !(init?.body instanceof ReadableStream)
    const make = () => withToken(call, { origin, isRepeatable })
    return untilAborted(signal, isRepeatable ? withStepUp(make) : make())
  }) as Fetch

  return { withToken, fetch }
}

/** Not for other kinds of authentication, and not when more than a token is needed (RFC 6750 §3.1, RFC 9470 §3). */
function blamesToken({ status, headers }: Response): boolean {
  const challenge = headers.get('WWW-Authenticate') ?? 'Bearer'
  return status === 401 && /\bbearer\b(?!.*error="(?!invalid_token))/i.test(challenge)
}
