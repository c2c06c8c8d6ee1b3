/** Runs in a page: what an app does with the client, and whether the session is still there afterwards. */
import { type Client, createClient } from '../../../client/src/client.ts'
import { PosternError } from '../../../client/src/problem.ts'
import type { User } from '../../../client/src/types.ts'
import * as platform from './page-faults.ts'

export type Transport = 'bearer' | 'cookie'
export interface Person {
  email: string
  password: string
}
type Clients = readonly [Client, Client]

const hourMs = 3_600_000
/** Longer than an access token lives. */
const tokenLifeMs = 601_000

platform.guardPlatform()

/** How a call ended: `done`, `aborted`, or the code of the error. Anything else that it rejects with is shown as it is. */
async function outcomeOf(call: Promise<unknown>, signal?: AbortSignal): Promise<string> {
  try {
    await call
    return 'done'
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return 'aborted'
    return error instanceof PosternError ? error.code : `rejected with ${String(error)}`
  }
}

export class Life {
  readonly #transport: Transport
  readonly #person: Person

  constructor(transport: Transport, person: Person) {
    this.#transport = transport
    this.#person = person
  }

  open(): Client {
    return createClient({ url: location.origin, transport: this.#transport })
  }

  async signIn(): Promise<void> {
    const client = this.open()
    await client.signIn(this.#person)
    client.close()
  }

  /** Two clients of one page renew their tokens at once, write, and renew them again after the clock has been set back. */
  async goOn([one, other]: Clients, signal?: AbortSignal): Promise<string[]> {
    const options = signal ? { signal } : {}
    const outcomes: string[] = []
    const add = async (...calls: Promise<unknown>[]) => {
      outcomes.push(...(await Promise.all(calls.map((call) => outcomeOf(call, signal)))))
    }
    platform.clock.aheadMs += tokenLifeMs
    await add(one.me(options), other.accessToken(options))
    await add(one.updateMe({ bio: String(platform.clock.aheadMs) }, options))
    platform.clock.aheadMs -= hourMs
    await add(other.me(options), one.accessToken(options))
    return outcomes
  }

  /** A sign-in and its end. */
  async comeAndGo([one]: Clients): Promise<string[]> {
    const outcomes = [await outcomeOf(one.signIn(this.#person)), await outcomeOf(one.signOut())]
    one.close()
    return outcomes
  }

  /** What is wrong with the session, seen by clients that were there and by the next page, when everything works. */
  async faultsOfSession(clients: readonly Client[]): Promise<string[]> {
    const faults: string[] = []
    const expect = async (what: string, call: Promise<User | null>) => {
      const found = await call.then((user) => user?.email ?? 'nobody').catch(String)
      if (found !== this.#person.email) faults.push(`${what}: ${found}`)
    }
    await Promise.all(clients.map((client) => expect('the same page', client.me())))
    const next = this.open()
    await expect('the next page', next.restore())
    platform.clock.aheadMs += tokenLifeMs
    await expect('the next page, ten minutes later', next.me())
    next.close()
    return [...faults, ...faultsOfRefusals()]
  }

  /** What is wrong after the end of the session. */
  async faultsOfEnd([one]: Clients): Promise<string[]> {
    const code = await outcomeOf(one.me())
    const user = await this.open().restore()
    return [
      ...(code === 'invalid_token' ? [] : [`the same page: ${code}`]),
      ...(user ? [`the next page: ${user.email}`] : []),
      ...faultsOfRefusals(),
    ]
  }
}

/** The service took a refresh for theft, or was asked with a token of an ended session. */
function faultsOfRefusals(): string[] {
  const codes = platform.takeRefusals().filter((code) => code !== 'invalid_token')
  return codes.length === 0 ? [] : [`the service refused: ${codes.join()}`]
}
