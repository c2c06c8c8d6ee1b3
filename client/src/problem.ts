import type { components } from './api.ts'

type Problem = components['schemas']['Problem']

/** One broken rule: where (a JSON Pointer, RFC 6901), which, and how to fix it. */
export type FieldError = components['schemas']['FieldError']

/**
 * What went wrong, for a program. Besides the codes of the service: `network_error` when there was no answer, and
 * `unexpected_answer` when it did not come from the service, such as the error page of a proxy.
 */
export type ErrorCode = Problem['code'] | 'network_error' | 'unexpected_answer'

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

/** The JSON of an answer, if it has a body. An answer that breaks off half-way counts as no answer. */
export async function readAnswer(response: Response): Promise<unknown> {
  const text = await response.text().catch((cause: unknown) => {
    throw noAnswer(cause)
  })
  const json = parseJson(text)
  if (response.ok && (text === '' || json)) return json
  const problem = (json ?? {}) as Partial<Details>
  const { code = 'unexpected_answer', detail = `The answer was ${response.status}.`, errors } = problem
  const retryAfterSeconds = Number(response.headers.get('Retry-After')) || undefined
  const requestId = response.headers.get('X-Request-Id') ?? undefined
  throw new PosternError({ code, status: response.status, detail, errors, requestId, retryAfterSeconds })
}

/** The error for a missing answer: the caller's own abort unchanged, anything else as a `PosternError`. */
export function noAnswer(cause: unknown): unknown {
  if ((cause as Error).name === 'AbortError') return cause
  return new PosternError({ code: 'network_error', status: 0, detail: 'The service cannot be reached.', cause })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
