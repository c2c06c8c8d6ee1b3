import type { CallName } from './arguments.ts'
import { type Setting, getters, refreshers, signIns } from './clients.ts'
import type { Client, Load } from './load.ts'
import { peerClients } from './peer.ts'

/** A call of one Worker, by its name in the tables. */
export type Subject = Load

/** What is compared with what, by the names of subjects. */
export interface Comparison {
  of: string
  to: string
}

/** A subject, if its Worker is there. */
interface Candidate {
  worker: string
  name: string
  status: number
  clients: () => Client[] | Promise<Client[]>
}

/** So many that no Worker sees one again within five seconds. */
const tokenCount = 60_000

/** Of each call: ours, and what it is compared with. */
const candidates: Record<CallName, (setting: Setting) => Candidate[]> = {
  verify: ({ mint }) => {
    const tokens = mint.makeForStrangers(tokenCount)
    return compared('verify', 204, () => getters('/auth/verify', tokens))
  },
  peer: ({ mint, ports, someone }) => {
    const verify = (name: string, tokens: () => string[]) => {
      return { worker: 'ours', name, status: 204, clients: () => getters('/auth/verify', tokens()) }
    }
    return [
      verify('verify', () => mint.makeForStrangers(tokenCount)),
      verify('verify again', () => [someone.access_token]),
      { worker: 'peer', name: 'Better Auth, get-session', status: 200, clients: () => peerClients(ports['peer']!) },
    ]
  },
  again: ({ someone }) =>
    compared('verify again', 204, () => getters('/auth/verify', [someone.access_token]), [
      { worker: 'empty', name: 'empty answer' },
      { worker: 'plain', name: 'answer with headers and log' },
    ]),
  me: ({ mint }) => {
    const tokens = mint.make(tokenCount / 2)
    return compared('me', 200, () => getters('/users/me', tokens))
  },
  refresh: (setting) => compared('refresh', 200, () => refreshers(setting, 10)),
  login: (setting) =>
    compared('login', 200, () => signIns(setting, 4), [{ worker: 'bare', name: 'login, only the hash' }]),
}

function compared(
  name: string,
  status: number,
  clients: Candidate['clients'],
  others = [{ worker: 'bare', name: `${name}, bare` }],
): Candidate[] {
  return [
    { worker: 'ours', name, status, clients },
    { worker: 'against', name: `${name}, against`, status, clients },
    ...others.map((other) => ({ ...other, status, clients })),
  ]
}

/** What is to be measured for some calls, and what is compared. */
export async function subjectsOf(
  calls: readonly CallName[],
  setting: Setting,
): Promise<{ subjects: Subject[]; comparisons: Comparison[] }> {
  const subjects = new Map<string, Subject>()
  const comparisons: Comparison[] = []
  for (const call of calls) {
    const present = candidates[call](setting).filter(({ worker }) => setting.ports[worker] !== undefined)
    for (const { worker, name, status, clients } of present) {
      // Two calls may have the same one.
      if (subjects.has(name)) continue
      subjects.set(name, { name, port: setting.ports[worker]!, status, clients: await clients() })
    }
    const [ours, others] = [present.filter(isOurs), present.filter((each) => !isOurs(each))]
    comparisons.push(...ours.flatMap(({ name: of }) => others.map(({ name: to }) => ({ of, to }))))
  }
  return { subjects: [...subjects.values()], comparisons }
}

function isOurs({ worker }: Candidate): boolean {
  return worker === 'ours'
}
