/**
 * `npm run check:timing`: does the time of an answer tell whether an address has an account?
 *
 * Starts a service of its own, with the real work factor, and asks about addresses of every kind in random order. Each
 * address is asked about once, so neither the limits on wrong passwords nor those on mails come into play. Each kind is
 * compared with addresses that are unknown. Takes a quarter of an hour, on a machine with nothing else to do; `SAMPLES`
 * is how often each kind is asked about.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Stop, command } from '../../../tools/stop.ts'
import { CommandProcess } from '../support/command-process.ts'
import { freePort } from '../support/free-port.ts'
import { LocalDatabase } from '../support/local-database.ts'
import { type Kind, type Patterns, kinds, makeAddresses, signUpPatterns } from './addresses.ts'
import { compareByRanks } from './rank-test.ts'

interface Flow {
  name: string
  path: string
  body: object
  status: number
  isLocked?: boolean
}

const flows: Flow[] = [
  { name: 'wrong password', path: '/auth/login', body: { password: 'wrong' }, status: 401 },
  {
    name: 'password, locked',
    path: '/auth/login',
    body: { password: 'wrong' },
    status: 429,
    isLocked: true,
  },
  { name: 'reset request', path: '/auth/password-reset/request', body: {}, status: 202 },
  { name: 'activation again', path: '/auth/resend-activation', body: {}, status: 202 },
  {
    name: 'registration',
    path: '/auth/register',
    body: { password: 'heron copper 41 lantern' },
    status: 202,
  },
]

/** For all the comparisons of a run together (Bonferroni): one run in a thousand cries wolf. */
const falseAlarms = 0.001
const comparisons = flows.length * (kinds.length - 1)
/**
 * How far from a coin's 0.5 a comparison may be. An address gives five tries without a wait: who takes the mean of five
 * is right in 63 of 100 pairs where one try is right in 56, and that on one machine, with no network between. Smaller
 * differences are not told from noise by a thousand samples either.
 */
const tolerance = 0.06

const samples = Number(process.env['SAMPLES'] || 1000)
const warmUps = 20

await command(async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'postern-timing-'))
  const [port, mailboxPort] = [await freePort(), await freePort()]
  const env = { PORT: `${port}`, MAILBOX_PORT: `${mailboxPort}`, STATE_DIR: stateDir }
  const url = `http://127.0.0.1:${port}`
  const database = new LocalDatabase(stateDir)
  let server = await start(env)
  try {
    const patterns = await signUpPatterns(url, `http://127.0.0.1:${mailboxPort}`)
    await stop(server)
    const plan = flows.map((flow) => ({ flow, ...addressesFor(database, patterns, flow) }))
    server = await start(env)
    const suspects: string[] = []
    console.log(`${'call'.padEnd(18)}${'address'.padEnd(11)}   samples  median ms  greater        p`)
    for (const { flow, warmUp, of } of plan) {
      for (const email of warmUp) await measure(url, flow, email)
      suspects.push(...report(flow, await measureAll(url, flow, of)))
    }
    const limit = (falseAlarms / comparisons).toExponential(1)
    console.log(`A difference: p < ${limit}, and "greater" not within 0.5 ± ${tolerance}.`)
    if (suspects.length > 0) throw new Stop(`The time tells something about the address:\n${suspects.join('\n')}`)
    console.log('No difference.')
  } finally {
    await stop(server)
    rmSync(stateDir, { recursive: true, force: true })
  }
})

function addressesFor(database: LocalDatabase, patterns: Patterns, { isLocked = false }: Flow) {
  const make = (kind: Kind, count: number) => makeAddresses(database, patterns, kind, count, isLocked)
  return { warmUp: make('unknown', warmUps), of: new Map(kinds.map((kind) => [kind, make(kind, samples)])) }
}

async function start(env: Record<string, string>): Promise<CommandProcess> {
  const server = new CommandProcess('tools/dev.ts', env)
  await server.untilSaid('Postern runs.')
  return server
}

async function stop(server: CommandProcess): Promise<void> {
  server.signal('SIGTERM')
  await server.exitCode()
}

/**
 * In blocks with one address of each kind, in random order: what a call leaves to be done after its answer, and whatever
 * else the machine does, falls on all kinds alike.
 */
async function measureAll(url: string, flow: Flow, of: ReadonlyMap<Kind, string[]>): Promise<Map<Kind, number[]>> {
  const times = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]))
  for (let index = 0; index < samples; index++) {
    for (const kind of shuffled(kinds)) {
      times.get(kind)?.push(await measure(url, flow, of.get(kind)?.[index] ?? ''))
    }
  }
  return times
}

async function measure(url: string, { path, body, status }: Flow, email: string): Promise<number> {
  const text = JSON.stringify({ email, ...body })
  const begin = performance.now()
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: text,
  })
  await answer.arrayBuffer()
  const end = performance.now()
  if (answer.status !== status) throw new Stop(`POST ${path} answered ${answer.status} instead of ${status}.`)
  return end - begin
}

/** Prints what came of a flow; gives the lines that show a difference. */
function report(flow: Flow, times: ReadonlyMap<Kind, number[]>): string[] {
  const reference = times.get('unknown') ?? []
  const suspects: string[] = []
  for (const [kind, sample] of times) {
    const { greater, p } = compareByRanks(sample, reference)
    const line = [
      flow.name.padEnd(18),
      kind.padEnd(11),
      String(sample.length).padStart(10),
      median(sample).toFixed(2).padStart(11),
      ...(kind === 'unknown' ? [] : [greater.toFixed(3).padStart(9), p.toExponential(1).padStart(9)]),
    ].join('')
    console.log(line)
    if (p < falseAlarms / comparisons && Math.abs(greater - 0.5) > tolerance) suspects.push(line)
  }
  return suspects
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value)
}
