import { jobs } from './calls.ts'
import type { Cost } from './cost.ts'
import type { TableBytes } from './bytes.ts'
import { dollarsPerCall, months } from './prices.ts'

/** Everything about one number of users. */
export interface Measured {
  users: number
  /** The time that making them took. */
  seconds: number
  fileBytes: number
  tables: TableBytes[]
  costs: Map<string, Cost>
}

/** Made often enough for a median. */
const timedCalls = ['own account', 'refresh', 'sign in, known device']

/** The tables of docs/performance.md. The last of `all` has the most users. */
export function report(all: readonly Measured[]): string {
  const largest = all.at(-1)!
  const names = [...largest.costs.keys()].filter((name) => isCall(name))
  return [
    '### Rows of a call',
    table(
      ['call', 'round trips', ...all.map(({ users }) => `${number(users)} users`), 'KV reads / writes', 'log bytes'],
      names.map((name) => {
        const cost = largest.costs.get(name)!
        const kv = `${round(cost.kvReads)} / ${round(cost.kvWrites)}`
        return [name, round(cost.roundTrips), ...all.map((each) => rows(each, name)), kv, round(cost.logBytes)]
      }),
    ),
    '### Dollars for a million calls',
    table(
      ['call', 'dollars'],
      names.map((name) => [name, (dollarsPerCall(name, largest.costs.get(name)!) * 1e6).toFixed(2)]),
    ),
    '### Dollars for 100,000 users in a month',
    table(
      ['each user', 'dollars'],
      months.map(({ name, calls }) => [name, dollarsFor(calls, largest).toFixed(2)]),
    ),
    '### Time of D1',
    table(
      ['call', 'ms in D1', 'calls a second at most'],
      timedCalls.map((name) => {
        const { sqlMs } = largest.costs.get(name)!
        return [name, sqlMs.toFixed(2), number(Math.floor(1000 / sqlMs))]
      }),
    ),
    '### Jobs',
    table(
      ['job', ...all.flatMap(({ users }) => [`${number(users)} users`, 'ms'])],
      Object.keys(jobs).map((job) => [
        job,
        ...all.flatMap((each) => [rows(each, job), round(each.costs.get(job)!.ms)]),
      ]),
    ),
    '### Bytes',
    table(
      ['table', 'rows', 'bytes a row, with indexes'],
      largest.tables
        .filter((each) => each.rows >= largest.users / 100)
        .map((each) => [each.table, number(each.rows), (each.bytes / each.rows).toFixed(0)]),
    ),
    table(
      ['users', 'made in', 'file', 'bytes a user'],
      all.map(({ users, seconds, fileBytes }) => [
        number(users),
        `${seconds.toFixed(1)} s`,
        `${(fileBytes / 1e6).toFixed(1)} MB`,
        number(Math.round(fileBytes / users)),
      ]),
    ),
  ].join('\n\n')
}

/** Measured calls have a name of ours. Calls without a name prepare others, and a path names a webhook or a job. */
function isCall(name: string): boolean {
  return /^[a-z]/.test(name) && !(name in jobs) && name !== 'queue' && !name.startsWith('job ')
}

function rows({ costs }: Measured, name: string): string {
  const { rowsRead, rowsWritten } = costs.get(name)!
  return `${round(rowsRead)} / ${round(rowsWritten)}`
}

function dollarsFor(calls: Readonly<Record<string, number>>, { costs }: Measured): number {
  const each = Object.entries(calls).map(([name, count]) => count * dollarsPerCall(name, costs.get(name)!))
  return 100_000 * each.reduce((total, dollars) => total + dollars, 0)
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, place) => (place === 0 ? '---' : '--:'))), ...body.map(line)].join('\n')
}

const number = (value: number) => value.toLocaleString('en-US')
const round = (value: number) => String(Math.round(value * 10) / 10)
