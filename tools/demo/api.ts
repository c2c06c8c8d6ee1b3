import { Surprise } from './surprise.ts'

export interface User {
  id: string
  email: string
  role: string
  status: string
}

/** The answer of a sign-in, an activation and a refresh. */
export interface Tokens {
  access_token: string
  refresh_token: string
  user: User
}

/** A call and the answer that the contract requires. */
export interface Call {
  body?: unknown
  /** An access token. */
  token?: string
  /** The required status. */
  expect: number
  /** The required problem code. */
  code?: string
}

export interface Answer {
  status: number
  headers: Headers
  text: string
}

/** A client of Postern that knows HTTP and JSON only: it imports nothing from the service. */
export class Api {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** @throws {Surprise} when the answer has another status or code. */
  async call<T>(method: string, path: string, call: Call): Promise<T> {
    const answer = await this.send(method, path, call)
    const { text } = requireAnswer(`${method} ${path}`, answer, call)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  /** Accepts any answer, for steps with more than one expected answer. */
  async send(method: string, path: string, { body, token }: Omit<Call, 'expect'>): Promise<Answer> {
    let response: Response
    try {
      response = await fetch(this.url + path, {
        method,
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(30_000),
      })
    } catch {
      throw new Surprise(`an answer to ${method} ${this.url}${path}`, 'none: is the server running? (npm run dev)')
    }
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
}

/** The `code` of a problem, or `undefined` for any other answer. */
export function problemCode({ text }: Answer): string | undefined {
  try {
    const problem: unknown = JSON.parse(text)
    return typeof problem === 'object' && problem !== null && 'code' in problem ? String(problem.code) : undefined
  } catch {
    return undefined
  }
}

export function requireAnswer(what: string, answer: Answer, { expect, code }: Call): Answer {
  const isAsExpected = answer.status === expect && (code === undefined || problemCode(answer) === code)
  if (isAsExpected) return answer
  throw new Surprise(`${what} to answer ${[expect, code].join(' ').trim()}`, `${answer.status} ${answer.text}`.trim())
}
