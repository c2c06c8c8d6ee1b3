/** A browser for the client: a storage, a network that records requests and can fail, and a cookie jar. */
import type { ClientStorage } from '../../client/src/platform.ts'
import { type Client, createClient } from '../../client/src/client.ts'
import type { ClientOptions } from '../../client/src/options.ts'
import type { Change } from '../../client/src/changes.ts'
import { PosternError } from '../../client/src/problem.ts'
import type { User } from '../../client/src/types.ts'
import { goodPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { type Service, startService } from '../support/service.ts'

export const url = 'https://accounts.example.com'
export const email = 'ada@example.com'

export interface Heard {
  method: string
  path: string
  token: string | null
  body: { device_token?: string; refresh_token?: string } | undefined
}

/** What happens to one request in place of a call of the service, which `go` makes. */
export type Incident = (go: () => Promise<Response>) => Promise<Response>

export class Browser {
  readonly items = new Map<string, string>()
  readonly requests: Heard[] = []
  /** The codes of the service's 401 answers. */
  readonly refusals: string[] = []
  cookie: string | undefined
  /** With its name. */
  trustCookie: string | undefined
  /** By path: what happens to the next requests, in this order. */
  readonly incidents = new Map<string, Incident[]>()
  readonly service: Service

  constructor(service: Service = startService()) {
    this.service = service
  }

  readonly storage: ClientStorage = {
    getItem: (key) => this.items.get(key) ?? null,
    setItem: (key, value) => void this.items.set(key, value),
    removeItem: (key) => void this.items.delete(key),
  }

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    headers.set('Origin', url)
    const cookies = [this.cookie && `__Host-postern-refresh=${this.cookie}`, this.trustCookie].filter(Boolean)
    if (cookies.length > 0) headers.set('Cookie', cookies.join('; '))
    const request = new Request(input, { ...init, headers })
    const path = new URL(request.url).pathname
    const text = await request.clone().text()
    this.requests.push({
      method: request.method,
      path,
      token: headers.get('Authorization'),
      body: text ? JSON.parse(text) : undefined,
    })
    const go = async () => {
      const { method } = request
      const response = await this.service.fetch(request.url, { method, headers, ...(text && { body: text }) })
      for (const line of response.headers.getSetCookie()) {
        const set = /^__Host-postern-refresh=([^;]*); Max-Age=(\d+)/.exec(line)
        if (set) this.cookie = set[2] === '0' ? undefined : set[1]
        if (line.startsWith('__Host-postern-trust=')) this.trustCookie = line.split(';')[0]
      }
      if (response.status === 401) this.refusals.push((await response.clone().json<{ code: string }>()).code)
      return response
    }
    init?.signal?.throwIfAborted()
    const incident = this.incidents.get(path)?.shift()
    return incident ? incident(go) : go()
  }

  /** Opens a tab and records the changes that its client reports. */
  open(options: Partial<ClientOptions> = {}): { client: Client; changes: Change[] } {
    const { storage, fetch } = this
    const now = () => this.service.clock.now().getTime()
    const client = createClient({ url, storage, fetch, now, ...options })
    const changes: Change[] = []
    client.onChange((change) => changes.push(change))
    return { client, changes }
  }

  asked(path: string): Heard[] {
    return this.requests.filter((request) => request.path === path)
  }

  /** Everything that a script could read later on. */
  stored(): string {
    return [...this.items.values()].join('\n')
  }
}

/** There is no network. */
export const offline: Incident = () => Promise.reject(new TypeError('Failed to fetch'))

/** The service handles the request, but its answer is lost. */
export const lostAnswer: Incident = async (go) => {
  await go()
  throw new TypeError('Failed to fetch')
}

export function answering(status: number, body?: object, headers?: Record<string, string>): Incident {
  const content = { 'Content-Type': 'application/problem+json', ...headers }
  return async () => new Response(body ? JSON.stringify(body) : '<h1>Error 522</h1>', { status, headers: content })
}

/** The code of a refused call, or `done`. Fails for a rejection with anything but a `PosternError`. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'done'
  } catch (error) {
    if (!(error instanceof PosternError)) throw new Error('not a PosternError', { cause: error })
    return error.code
  }
}

/** Signs in with a password where nothing more is asked for. */
export async function signIn(client: Client, who = email, password = goodPassword): Promise<User> {
  const outcome = await client.signIn({ email: who, password })
  if (outcome.kind !== 'signed_in') throw new Error('A second factor is asked for')
  return outcome.user
}

/** A browser in which the owner of an account signed in. */
export async function signedIn(options: Partial<ClientOptions> = {}) {
  const browser = new Browser()
  const people = peopleOf(browser.service)
  await people.signUp(email)
  const tab = browser.open(options)
  await tab.client.signIn({ email, password: goodPassword })
  browser.requests.length = 0
  return { browser, service: browser.service, people, ...tab }
}
