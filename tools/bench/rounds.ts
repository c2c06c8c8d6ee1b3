import { showProgress } from '../progress.ts'
import { cpuMs } from './cpu-time.ts'
import { percentile, runLoad } from './load.ts'
import type { Subject } from './subjects.ts'

/** One round of one subject. Times are in ms. */
export interface Round {
  /** Requests per second. */
  rate: number
  p50: number
  p95: number
  p99: number
  /** CPU of the runtime for one request; `NaN` where the system does not tell. */
  cpu: number
}

/**
 * Measures all subjects in turn, in another order in every round, so that whatever slows the machine for a while meets
 * all of them. The first round warms up and does not count.
 *
 * @returns the rounds of each subject by its name, in the order in which they ran
 */
export async function runRounds(
  subjects: readonly Subject[],
  pid: number,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Map<string, Round[]>> {
  const results = new Map<string, Round[]>(subjects.map(({ name }) => [name, []]))
  const progress = showProgress('Measuring', subjects.length * (rounds + 1))
  let done = 0
  for (let round = 0; round <= rounds; round++) {
    for (const subject of shuffled(subjects)) {
      progress.update(done++)
      const measured = await runRound(subject, pid, seconds)
      if (round > 0) results.get(subject.name)!.push(measured)
    }
  }
  progress.end()
  return results
}

async function runRound(subject: Subject, pid: number, seconds: number): Promise<Round> {
  const cpuBefore = cpuMs(pid)
  const { latencies, seconds: taken } = await runLoad(subject, seconds)
  return {
    rate: latencies.length / taken,
    p50: percentile(latencies, 0.5),
    p95: percentile(latencies, 0.95),
    p99: percentile(latencies, 0.99),
    cpu: (cpuMs(pid) - cpuBefore) / latencies.length,
  }
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item)
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
