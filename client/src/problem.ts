import type { components } from './api.ts'
import { tryTo } from './platform.ts'

type Problem = components['schemas']['Problem']

/** One broken rule: where (a JSON Pointer, RFC 6901), which, and how to fix it. */
export type FieldError = components['schemas']['FieldError']

/**
 * What went wrong, for a program. Besides the codes of the service: `network_error` when there was no answer;
 * `unexpected_answer` when it did not come from the service, such as the error page of a proxy; `invalid_request` when the
 * request cannot be sent, such as a body that is no JSON; `origin_not_listed` when `fetch` would give the token to a server
 * that `origins` does not name; `client_in_use` when somebody else is signed in with a client that a server shares;
 * `passkey_cancelled` when the person chose none, for which browsers give no reason; `passkey_unavailable` when the browser
 * has no WebAuthn, or refuses it for this page.
 */
export type ErrorCode =
  | Problem['code']
  | 'passkey_cancelled'
  | 'passkey_unavailable'
  | 'network_error'
  | 'unexpected_answer'
  | 'invalid_request'
  | 'origin_not_listed'
  | 'client_in_use'

interface Details {
  code: ErrorCode
  /** 0 without an answer. */
  status: number
  detail: string
  errors?: FieldError[] | undefined
  requestId?: string | undefined
  retryAfterSeconds?: number | undefined
  cause?: unknown
}

/** A call that failed. Tell failures apart by `code`; `detail` is for a person. */
export class PosternError extends Error {
  override readonly name = 'PosternError'
  readonly code: ErrorCode
  /** The HTTP status; 0 without an answer. */
  readonly status: number
  readonly detail: string
  /** The fields that break a rule. Empty except for `validation_failed` and `weak_password`. */
  readonly errors: FieldError[]
  /** Finds the request in the service's log. */
  readonly requestId: string | undefined
  /** Seconds to wait before the next try, when the service says so. */
  readonly retryAfterSeconds: number | undefined

  constructor({ code, status, detail, errors = [], requestId, retryAfterSeconds, cause }: Details) {
    super(`${code}: ${detail}`, { cause })
    this.code = code
    this.status = status
    this.detail = detail
    this.errors = errors
    this.requestId = requestId
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/**
 * The JSON of an answer, if it has a body. An answer that breaks off half-way counts as no answer.
 *
 * @param expected the code of a problem that is an answer, too
 * @throws {PosternError} for any other answer but a success; the reason of the signal when that aborts
 */
export async function readAnswer(response: Response, signal?: AbortSignal, expected?: ErrorCode): Promise<unknown> {
  const text = await untilAnswered(() => response.text(), signal)
  const { status } = response
  const json = tryTo(() => JSON.parse(text) as unknown)
  const isObject = json instanceof Object
  if (response.ok && (status === 204 || isObject)) return isObject ? json : undefined
  const { code, detail, errors } = (isObject ? json : {}) as Partial<Record<keyof Details, unknown>>
  if (isRedirect(response)) throw unexpectedAnswer('The answer is a redirect.', response)
  if (code !== undefined && code === expected) return json
  if (response.ok || typeof code !== 'string') throw unexpectedAnswer(`The answer was ${status}.`, response)
  throw new PosternError({
    code: code as ErrorCode,
    detail: typeof detail === 'string' ? detail : '',
    errors: Array.isArray(errors) ? (errors as FieldError[]).filter((error) => error?.message) : [],
    ...metadataOf(response),
  })
}

/** Redirects are not followed: they would take tokens to another server. Browsers hide the status of a redirect. */
export function isRedirect({ status, type }: Response): boolean {
  return (type as string) === 'opaqueredirect' || [301, 302, 303, 307, 308].includes(status)
}

/** Something else than the service has answered. */
export function unexpectedAnswer(detail: string, response?: Response): PosternError {
  return new PosternError({ code: 'unexpected_answer', detail, ...(response ? metadataOf(response) : { status: 200 }) })
}

function metadataOf({ status, headers }: Response) {
  return {
    status,
    retryAfterSeconds: Number(headers.get('Retry-After')) || undefined,
    requestId: headers.get('X-Request-Id') ?? undefined,
  }
}

/**
 * Waits for the network, or until the signal aborts.
 *
 * @throws {PosternError} `network_error`; the reason of the signal when that aborts
 */
export async function untilAnswered<T>(ask: () => Promise<T>, signal?: AbortSignal | null): Promise<T> {
  try {
    return await untilAborted(signal, ask())
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    throw noAnswer(cause)
  }
}

/** @throws {PosternError} `network_error` also when the answer takes too long */
export async function within<T>(limitMs: number, work: (limit: AbortSignal) => Promise<T>): Promise<T> {
  try {
    return await work(AbortSignal.timeout(limitMs))
  } catch (error) {
    throw error instanceof PosternError ? error : noAnswer(error)
  }
}

export function noAnswer(cause: unknown, detail = 'The service cannot be reached.'): PosternError {
  return new PosternError({ code: 'network_error', status: 0, detail, cause })
}

/** Rejects with the reason of the signal at once. The work itself goes on: others may wait for it, too. */
export function untilAborted<T>(signal: AbortSignal | null | undefined, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal!.reason)
    work.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort)
  })
}

/** @throws {PosternError} `invalid_request` */
export function sendable<T>(make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw new PosternError({ code: 'invalid_request', status: 0, detail: 'The request cannot be sent.', cause })
  }
}
