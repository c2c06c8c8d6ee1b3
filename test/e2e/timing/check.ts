/**
 * `npm run check:timing`: does the response time tell whether an address has an account?
 *
 * Starts its own service with the production work factor and sends requests about addresses of every kind in random
 * order. It compares each kind with unknown addresses. Each address is used once, so the limits on wrong passwords and on
 * emails do not apply. A run takes a quarter of an hour on an otherwise idle machine; `SAMPLES` is the number of requests
 * for each kind.
 */
import { rmSync } from 'node:fs'
import { Stop, command } from '../../../tools/command.ts'
import { CommandProcess } from '../support/command-process.ts'
import { freePort } from '../support/free-port.ts'
import { LocalDatabase } from '../support/local-database.ts'
import { prepareState } from '../support/prepare.ts'
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

/** One false alarm in a thousand runs, for all comparisons of a run together (Bonferroni). */
const falseAlarms = 0.001
const comparisons = flows.length * (kinds.length - 1)
/**
 * How far a comparison may be from 0.5, a coin toss. An address allows five attempts without a wait. An attacker who
 * takes the mean of five is right in 63 of 100 pairs where a single attempt is right in 56, and only without a network
 * in between. A thousand samples cannot tell smaller differences from noise.
 */
const tolerance = 0.06

const samples = Number(process.env['SAMPLES'] || 1000)
const warmUps = 20

await command(async () => {
  const stateDir = await prepareState()
  const [port, mailboxPort] = [await freePort(), await freePort()]
  const env = { PORT: `${port}`, MAILBOX_PORT: `${mailboxPort}`, STATE_DIR: stateDir }
  const url = `http://localhost:${port}`
  const database = new LocalDatabase(stateDir)
  let server = await start(env)
  try {
    const patterns = await signUpPatterns(url, `http://localhost:${mailboxPort}`)
    await stop(server)
    const plan = []
    for (const flow of flows) plan.push({ flow, ...(await addressesFor(database, patterns, flow)) })
    server = await start(env)
    const suspects: string[] = []
    console.log(`${'call'.padEnd(18)}${'address'.padEnd(11)}   samples  median ms  greater        p`)
    for (const { flow, warmUp, of } of plan) {
      for (const email of warmUp) await measure(url, flow, email)
      suspects.push(...report(flow, await measureAll(url, flow, of)))
    }
    const limit = (falseAlarms / comparisons).toExponential(1)
    console.log(`A difference: p < ${limit}, and "greater" not within 0.5 ± ${tolerance}.`)
    if (suspects.length > 0) throw new Stop(`The response time depends on the account:\n${suspects.join('\n')}`)
    console.log('No difference.')
  } finally {
    await stop(server)
    rmSync(stateDir, { recursive: true, force: true })
  }
})

async function addressesFor(database: LocalDatabase, patterns: Patterns, { isLocked = false }: Flow) {
  const make = (kind: Kind, count: number) => makeAddresses(database, patterns, kind, count, isLocked)
  const warmUp = await make('unknown', warmUps)
  const of = new Map<Kind, string[]>()
  for (const kind of kinds) of.set(kind, await make(kind, samples))
  return { warmUp, of }
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
 * Measures in blocks with one address of each kind, in random order. Work that a call leaves for after its answer, and
 * other load of the machine, then affects all kinds alike.
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

/** Prints the result of a flow and returns the lines that show a difference. */
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
