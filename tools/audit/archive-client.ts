/** Reads the archive through the service, as an ADMIN. */
import { setTimeout as delay } from 'node:timers/promises'
import type { JWK } from 'jose'
import { Stop } from '../command.ts'
import { type CodeKind, type SecondStep, codeKindsOf, nameCodes, proofOf } from './second-step.ts'
import type { ArchivedObject } from './verify.ts'

export interface Period {
  userId?: string | undefined
  from?: string | undefined
  to?: string | undefined
}

interface Tokens {
  access_token: string
  refresh_token: string
}

interface Problem {
  code?: string
  detail?: string
}

/** An answer that is a problem. */
class Refusal extends Stop {
  readonly problem: Problem

  constructor(call: string, status: number, problem: Problem) {
    const { code, detail } = problem
    super(`${call} answered ${status} ${[code, detail].filter(Boolean).join(': ')}`)
    this.problem = problem
  }
}

/** Repeating these would guess at a password or a code. */
const signInPaths: readonly string[] = ['/auth/login', '/auth/second-factor']

export class ArchiveClient {
  readonly #url: string
  #tokens: Tokens | null = null

  /** @throws {Stop} for an address that would show the password to the network */
  constructor(url: string) {
    const { protocol, hostname, origin } = new URL(url)
    const isLocal = hostname === 'localhost' || hostname === '127.0.0.1'
    if (protocol !== 'https:' && !isLocal) throw new Stop(`POSTERN_URL must be an https address, not ${url}.`)
    this.#url = origin
  }

  /**
   * @param askForCode is called when the account asks for a second factor, with the kinds of code that it takes
   * @throws {Stop} when the service refuses, and for an account that has a passkey alone
   */
  async signIn(
    email: string,
    password: string,
    askForCode: (kinds: readonly CodeKind[]) => Promise<string>,
  ): Promise<void> {
    try {
      this.#tokens = (await this.#call('POST', '/auth/login', { email, password })) as Tokens
    } catch (error) {
      if (!hasCode(error, 'second_factor_required')) throw error
      this.#tokens = await this.#passSecondStep(error.problem as SecondStep, askForCode)
    }
  }

  async #passSecondStep(
    step: SecondStep,
    askForCode: (kinds: readonly CodeKind[]) => Promise<string>,
  ): Promise<Tokens> {
    const kinds = codeKindsOf(step, this.#url)
    const proof = proofOf(await askForCode(kinds), kinds)
    try {
      return (await this.#call('POST', '/auth/second-factor', { factor_token: step.factor_token, ...proof })) as Tokens
    } catch (error) {
      if (!hasCode(error, 'wrong_second_factor')) throw error
      throw new Stop(`The code was refused. This account takes ${nameCodes(kinds)}, and each code only once.`)
    }
  }

  async signOut(): Promise<void> {
    if (this.#tokens) await this.#call('POST', '/auth/logout', { refresh_token: this.#tokens.refresh_token })
  }

  /** The objects of a period, oldest first. */
  async *objects({ userId, from, to }: Period): AsyncGenerator<ArchivedObject> {
    const filters = { ...(userId && { user_id: userId }), ...(from && { from }), ...(to && { to }), limit: '100' }
    for (let cursor: string | null = ''; cursor !== null;) {
      const query = new URLSearchParams({ ...filters, ...(cursor && { cursor }) })
      const page = (await this.#call('GET', `/audit-archive?${query}`)) as {
        objects: ArchivedObject[]
        next_cursor: string | null
      }
      yield* page.objects
      cursor = page.next_cursor
    }
  }

  async keys(): Promise<JWK[]> {
    return ((await this.#call('GET', '/.well-known/jwks.json')) as { keys: JWK[] }).keys
  }

  /** Waits when the service asks for it, but not to sign in, and renews the access token once when it has expired. */
  async #call(method: string, path: string, body?: object): Promise<unknown> {
    for (let mayRefresh = method === 'GET'; ;) {
      const { answer, text } = await this.#send(method, path, body)
      if (answer.ok) return text === '' ? undefined : this.#read(text)
      if (answer.status === 429 && !signInPaths.includes(path))
        await delay(1000 * Number(answer.headers.get('Retry-After') ?? 60))
      else if (answer.status === 401 && mayRefresh && this.#tokens) {
        mayRefresh = false
        await this.#refresh()
      } else throw this.#refusal(`${method} ${path}`, answer.status, text)
    }
  }

  #refusal(call: string, status: number, text: string): Stop {
    const refusal = new Refusal(call, status, problemIn(text))
    if (!hasCode(refusal, 'factor_enrolment_required')) return refusal
    return new Stop(`This account must have a second factor. Add one at ${this.#url}/account, then run this again.`)
  }

  #read(text: string): unknown {
    try {
      return JSON.parse(text)
    } catch {
      throw new Stop(`${this.#url} does not answer like Postern.`)
    }
  }

  async #refresh(): Promise<void> {
    const { refresh_token } = this.#tokens!
    this.#tokens = null
    this.#tokens = (await this.#call('POST', '/auth/refresh', { refresh_token })) as Tokens
  }

  async #send(method: string, path: string, body?: object): Promise<{ answer: Response; text: string }> {
    try {
      const answer = await fetch(this.#url + path, {
        method,
        headers: {
          ...(body && { 'Content-Type': 'application/json' }),
          ...(this.#tokens && { Authorization: `Bearer ${this.#tokens.access_token}` }),
        },
        ...(body && { body: JSON.stringify(body) }),
      })
      return { answer, text: await answer.text() }
    } catch {
      throw new Stop(`${this.#url} does not answer.`)
    }
  }
}

function problemIn(text: string): Problem {
  try {
    return (JSON.parse(text) as Problem | null) ?? {}
  } catch {
    return {}
  }
}

function hasCode(error: unknown, code: string): error is Refusal {
  return error instanceof Refusal && error.problem.code === code
}
