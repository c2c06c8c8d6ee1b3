import { type Setting, getters, signIns } from './clients.ts'
import { type Taken, percentile, runLoad } from './load.ts'
import { median } from './rounds.ts'

/** What sign-ins do to the rest of one Worker. Times are in ms. */
export interface BesideSignIns {
  worker: string
  /** One client that asks `/auth/verify`: alone, and beside the sign-ins. */
  idle: Latencies
  beside: Latencies
  signInsPerSecond: number
  /** How many sign-ins were refused because too many others waited. */
  turnedAway: number
  /** One sign-in alone. */
  alone: number
  /** The slowest of those that start together, over what they take one after the other. */
  slowestToSum: number
}

interface Latencies {
  p50: number
  p95: number
  p99: number
}

const signInCount = 20
const runsAlone = 5

/** Measures one client that verifies while others sign in without end. */
export async function measureBesideSignIns(setting: Setting, worker: string, seconds: number): Promise<BesideSignIns> {
  const port = setting.ports[worker]!
  const verify = {
    name: `verify beside sign-ins, ${worker}`,
    port,
    status: 204,
    clients: getters('/auth/verify', setting.mint.makeForStrangers(20_000), 1),
  }
  const signIn = {
    name: `sign-in, ${worker}`,
    port,
    status: 200,
    busyStatus: 503,
    clients: await signIns(setting, signInCount),
  }
  await runLoad(verify, seconds)
  const idle = latenciesOf(await runLoad(verify, seconds))

  const alone: number[] = []
  for (let run = 0; run < runsAlone; run++) {
    // No time at all: each client sends one request.
    const { latencies } = await runLoad({ ...signIn, clients: signIn.clients.slice(0, 1) }, 0)
    alone.push(...latencies)
  }
  const together = await runLoad(signIn, 0)
  const [signedIn, verified] = await Promise.all([runLoad(signIn, 5 * seconds), runLoad(verify, 5 * seconds)])
  return {
    worker,
    idle,
    beside: latenciesOf(verified),
    signInsPerSecond: signedIn.latencies.length / signedIn.seconds,
    turnedAway: signedIn.turnedAway + together.turnedAway,
    alone: median(alone),
    slowestToSum: together.latencies.at(-1)! / (median(alone) * signInCount),
  }
}

function latenciesOf({ latencies }: Taken): Latencies {
  return { p50: percentile(latencies, 0.5), p95: percentile(latencies, 0.95), p99: percentile(latencies, 0.99) }
}
