/** What a browser is to a client: a storage, a network that can be watched and broken, and a jar for its cookies. */
import type { ClientStorage } from '../../client/src/platform.ts'
import { type Client, createClient } from '../../client/src/client.ts'
import type { ClientOptions } from '../../client/src/session.ts'
import type { Change } from '../../client/src/changes.ts'
import { goodPassword, signUp } from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'

export const url = 'https://accounts.example.com'
export const email = 'ada@example.com'

export interface Heard {
  method: string
  path: string
  token: string | null
  // oxlint-disable-next-line no-explicit-any -- the body as it came
  body: any
}

/** What happens to one request instead of going to the service and coming back. */
export type Incident = (go: () => Promise<Response>) => Promise<Response>

export class Browser {
  readonly items = new Map<string, string>()
  readonly requests: Heard[] = []
  cookie: string | undefined
  /** By path: what befalls the next requests, in this order. */
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
    const headers = new Headers(init?.headers)
    headers.set('Origin', url)
    if (this.cookie !== undefined) headers.set('Cookie', `__Host-postern-refresh=${this.cookie}`)
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
      const response = await this.service.fetch(request.url, { ...init, headers })
      const set = /^__Host-postern-refresh=([^;]*); Max-Age=(\d+)/.exec(response.headers.get('Set-Cookie') ?? '')
      if (set) this.cookie = set[2] === '0' ? undefined : set[1]
      return response
    }
    init?.signal?.throwIfAborted()
    const incident = this.incidents.get(path)?.shift()
    return incident ? incident(go) : go()
  }

  /** A tab, with what it was told so far. */
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

/** No way through. */
export const offline: Incident = () => Promise.reject(new TypeError('Failed to fetch'))

/** The service did what it was asked, but its answer got lost. */
export const lostAnswer: Incident = async (go) => {
  await go()
  throw new TypeError('Failed to fetch')
}

export function answering(status: number, body?: object, headers?: Record<string, string>): Incident {
  const content = { 'Content-Type': 'application/problem+json', ...headers }
  return async () => new Response(body ? JSON.stringify(body) : '<h1>Error 522</h1>', { status, headers: content })
}

/** A browser of somebody who has an account and signed in with it. */
export async function signedIn(options: Partial<ClientOptions> = {}) {
  const browser = new Browser()
  await signUp(browser.service, email)
  const tab = browser.open(options)
  await tab.client.signIn({ email, password: goodPassword })
  browser.requests.length = 0
  return { browser, service: browser.service, ...tab }
}
