/** Sends requests to the service. */
import { noAnswer, readAnswer } from './problem.ts'

export interface Exchange {
  method: string
  path: string
  body?: unknown
  signal?: AbortSignal | undefined
}

export type Fetch = typeof globalThis.fetch

/** Opens the way to the service at `url`. */
export function openWire(url: string, fetch: Fetch | undefined) {
  // Looked up at each call, and not called as a method: browsers refuse `fetch` with another `this`.
  const send: Fetch = fetch ?? ((...request) => globalThis.fetch(...request))

  /** @throws {PosternError} `network_error` when there is no answer; any answer is returned */
  async function exchange({ method, path, body, signal }: Exchange, accessToken?: string): Promise<Response> {
    const headers: Record<string, string> = {}
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (accessToken !== undefined) headers['Authorization'] = `Bearer ${accessToken}`
    try {
      return await send(url + path, {
        method: method.toUpperCase(),
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
      })
    } catch (cause) {
      throw noAnswer(cause)
    }
  }

  /** @throws {PosternError} for any answer but a success */
  async function ask(request: Exchange): Promise<unknown> {
    return readAnswer(await exchange(request))
  }

  return { send, exchange, ask }
}
