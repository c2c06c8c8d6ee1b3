/** The one place that sends requests to other companies. */

export interface Limits {
  /** From the request to the last byte of the answer. */
  timeoutMs: number
  maxBytes: number
}

export interface OutgoingAnswer {
  status: number
  /** A status of 2xx. */
  isOk: boolean
  headers: Headers
  text: string
}

/** A request that is not sent, or an answer that is of no use. */
export class OutgoingError extends Error {
  override name = 'OutgoingError'
  /** For the log. */
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/**
 * Sends a request to a path of a configured service, and to no other host. `readSettings` requires https, except in
 * development. Redirects are not followed: our secrets would go to the other host.
 *
 * @throws {OutgoingError} `foreign_host`, `too_large`; what `fetch` throws, a `TimeoutError` among it
 */
export async function send(
  service: string,
  path: string,
  init: RequestInit,
  { timeoutMs, maxBytes }: Limits,
): Promise<OutgoingAnswer> {
  const url = new URL(path, service)
  if (url.origin !== new URL(service).origin) throw new OutgoingError('foreign_host')
  const signal = AbortSignal.timeout(timeoutMs)
  const response = fetch(url.href, { ...init, redirect: 'manual', signal })
  return Promise.race([response.then((answer) => readAnswer(answer, maxBytes)), expiry(signal)])
}

/** Rejects when the time is up: `fetch` alone does not interrupt a body that stops arriving. */
function expiry(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

async function readAnswer({ status, ok, headers, body }: Response, maxBytes: number): Promise<OutgoingAnswer> {
  const text = new Response(body?.pipeThrough(atMost(maxBytes))).text()
  // The status of a refusal says enough, even if its body is too large or breaks off.
  return { status, isOk: ok, headers, text: ok ? await text : await text.catch(() => '') }
}

/** Counts what arrives, because a Content-Length can lie and says nothing about what a compressed body unpacks to. */
function atMost(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let length = 0
  return new TransformStream({
    transform(chunk, controller) {
      length += chunk.byteLength
      if (length > maxBytes) throw new OutgoingError('too_large')
      controller.enqueue(chunk)
    },
  })
}
