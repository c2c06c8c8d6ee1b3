/** Runs in a page: lets every call that the client makes fail in turn. */
import type { Client } from '../../../client/src/client.ts'
import { Life, type Person, type Transport } from './client-life.ts'
import * as platform from './page-faults.ts'

export interface Row {
  operation: platform.Operation
  failures: platform.Failure[]
  /** The life in which the calls fail: from the start of the page, of a signed-in visitor, or from a sign-in to its end. */
  during: 'the start' | 'a visit' | 'a sign-in'
  /** Codes with which calls may fail meanwhile. */
  codes?: string[]
}

/** Which calls fail: one, while all before and after it work, or all. */
const cases = [
  { from: 1, isLasting: false },
  { from: 0, isLasting: true },
]

interface Trials {
  faults: string[]
  /** How often a call failed. */
  count: number
}

/** Calls of the row's operation fail, each time in a new session. */
export async function tryFaults(transport: Transport, row: Row, person: Person): Promise<Trials> {
  const life = new Life(transport, person)
  const trials: Trials = { faults: [], count: 0 }
  for (const failure of row.failures) {
    const losesAnswers = failure === 'loses the answer' || failure === 'breaks off'
    for (const { from, isLasting } of cases) {
      // The service takes it for theft when one session repeats more than three refreshes.
      if (isLasting && losesAnswers) continue
      await life.signIn()
      const found = await tryFault(life, row, { operation: row.operation, failure, from, isLasting })
      if (!found) continue
      trials.count++
      trials.faults.push(...found.map((what) => `${failure} from ${from}${isLasting ? ' on' : ''}: ${what}`))
    }
  }
  return trials
}

/** Returns what went wrong, or `undefined` when there was no such call. */
async function tryFault(life: Life, { during, codes = [] }: Row, fault: platform.Fault): Promise<string[] | undefined> {
  const isSignIn = during === 'a sign-in'
  if (during === 'the start') platform.breakPlatform(fault)
  const clients = [life.open(), life.open()] as const
  if (during === 'a visit') for (const client of clients) await client.restore()
  if (during !== 'the start') platform.breakPlatform(fault)
  const outcomes = await (isSignIn ? life.comeAndGo(clients) : life.goOn(clients))
  if (!platform.mendPlatform()) return end(clients)
  const found = outcomes.filter((outcome) => outcome !== 'done' && !codes.includes(outcome))
  // Without a storage, the page is a stranger until it is loaded again.
  const still = codes.includes('invalid_token') ? [] : clients
  const isOver = isSignIn && outcomes.at(-1) === 'done'
  found.push(...(await (isOver ? life.faultsOfEnd(clients) : life.faultsOfSession(still))))
  end(clients)
  return found
}

/** Aborts, or sets the clock ahead or back, in the middle of every call of any kind. */
export async function interrupt(
  how: 'abort' | 'ahead' | 'back',
  transport: Transport,
  person: Person,
  every: number,
): Promise<Trials> {
  const life = new Life(transport, person)
  const trials: Trials = { faults: [], count: 0 }
  await life.signIn()
  for (let at = 0; ; at += every) {
    const clients = [life.open(), life.open()] as const
    const abortion = new AbortController()
    platform.interrupt(at, () => {
      if (how === 'abort') abortion.abort(new Error('enough'))
      else platform.clock.aheadMs += how === 'ahead' ? 3_600_000 : -3_600_000
    })
    const outcomes = await life.goOn(clients, abortion.signal)
    const isMet = platform.mendPlatform()
    if (isMet) {
      trials.count++
      const found = outcomes.filter((outcome) => outcome !== 'done' && !(how === 'abort' && outcome === 'aborted'))
      found.push(...(await life.faultsOfSession(clients)))
      trials.faults.push(...found.map((what) => `${how} at ${at}: ${what}`))
    }
    end(clients)
    if (!isMet) return trials
  }
}

/** Begins a refresh and is cut off in the middle of it, as if the tab were closed. Returns the time of this page. */
export async function dieDuringRefresh(transport: Transport, fault: platform.Fault, person: Person): Promise<number> {
  const life = new Life(transport, person)
  await life.signIn()
  const client = life.open()
  platform.clock.aheadMs += 601_000
  platform.breakPlatform(fault)
  client.me().catch(() => undefined)
  await platform.met()
  return platform.clock.aheadMs
}

/** Asks for the session at once, while another tab may still hold the lock, and looks at it later. */
export function waitForTurn(transport: Transport, aheadMs: number, person: Person): void {
  platform.clock.aheadMs = aheadMs
  const life = new Life(transport, person)
  const waiting = life.open()
  const asked = waiting.me().then(
    () => [],
    (error: unknown) => [String(error)],
  )
  seen = asked.then(async (faults) => [...faults, ...(await life.faultsOfSession([waiting]))])
}

let seen: Promise<string[]>
export const seenByNext = () => seen

function end(clients: readonly Client[]): undefined {
  for (const client of clients) client.close()
}
