import type { TokenMint } from './access-tokens.ts'
import type { Client } from './load.ts'
import { type People, type SignedIn, signInRequest } from './people.ts'
import { getRequest, postRequest } from './requests.ts'

export interface Setting {
  /** Of each Worker by its name. */
  ports: Readonly<Record<string, number>>
  people: People
  mint: TokenMint
  /** A session of the database. */
  someone: SignedIn
}

/** Enough that the runtime always has work, and few enough that its queue is short. */
const getterCount = 20

/** Clients that take the tokens in turn. */
export function getters(path: string, tokens: readonly string[], count = getterCount): Client[] {
  let place = 0
  const next = () => getRequest(path, { Authorization: `Bearer ${tokens[place++ % tokens.length]!}` })
  return Array.from({ length: count }, () => ({ next }))
}

/** Clients that each keep a session of their own going. */
export async function refreshers({ people, ports }: Setting, count: number): Promise<Client[]> {
  const sessions = await people.signInMany(ports['ours']!, count)
  return sessions.map(({ refresh_token: first }) => {
    let token = first
    return {
      next: () => postRequest('/auth/refresh', { refresh_token: token }),
      answered: (body) => {
        token = (JSON.parse(body) as SignedIn).refresh_token
      },
    }
  })
}

/** Clients that each sign in an account of their own, on a known device. */
export async function signIns({ people, ports }: Setting, count: number): Promise<Client[]> {
  const sessions = await people.signInMany(ports['ours']!, count)
  return sessions.map(({ email, device_token: device }) => ({ next: () => signInRequest(email, device) }))
}
