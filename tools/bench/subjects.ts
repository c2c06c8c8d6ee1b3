import type { Part } from './arguments.ts'
import { type Setting, getters, refreshers, signIns } from './clients.ts'
import type { Client, Load } from './load.ts'

/** A call of one Worker, by its name in the tables. */
export type Subject = Load

/** What is compared with what, by the names of subjects. */
export interface Comparison {
  of: string
  to: string
}

/** Ours first. Those that are not there are left out. */
interface Plan {
  title: string
  workers: readonly string[]
  status: number
  clients: (setting: Setting) => (worker: string) => Client[] | Promise<Client[]>
}

const plans: Partial<Record<Part, Plan>> = {
  verify: {
    title: 'verify',
    workers: ['ours', 'against', 'bare'],
    status: 204,
    clients: ({ mint }) => {
      const tokens = mint.makeForStrangers(60_000)
      return () => getters('/auth/verify', tokens)
    },
  },
  again: {
    title: 'verify again',
    workers: ['ours', 'against', 'empty'],
    status: 204,
    clients:
      ({ someone }) =>
      () =>
        getters('/auth/verify', [someone.access_token]),
  },
  me: {
    title: 'me',
    workers: ['ours', 'against', 'bare'],
    status: 200,
    clients: ({ mint }) => {
      const tokens = mint.make(30_000)
      return () => getters('/users/me', tokens)
    },
  },
  refresh: {
    title: 'refresh',
    workers: ['ours', 'against', 'bare'],
    status: 200,
    clients: (setting) => () => refreshers(setting, 10),
  },
  login: {
    title: 'login',
    workers: ['ours', 'against', 'bare'],
    status: 200,
    clients: (setting) => () => signIns(setting, 4),
  },
}

/** The subjects of some calls, on all Workers that are there, and what is compared. */
export async function subjectsOf(
  only: readonly Part[],
  setting: Setting,
): Promise<{ subjects: Subject[]; comparisons: Comparison[] }> {
  const subjects: Subject[] = []
  const comparisons: Comparison[] = []
  for (const call of only) {
    const plan = plans[call]
    if (!plan) continue
    const { title, status } = plan
    const clientsOf = plan.clients(setting)
    for (const worker of plan.workers) {
      const port = setting.ports[worker]
      if (port === undefined) continue
      const name = worker === 'ours' ? title : `${title}, ${worker}`
      subjects.push({ name, port, status, clients: await clientsOf(worker) })
      if (worker !== 'ours') comparisons.push({ of: title, to: name })
    }
  }
  return { subjects, comparisons }
}
