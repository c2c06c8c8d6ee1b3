import { cpus } from 'node:os'
import { type Round, median } from './rounds.ts'
import type { Comparison } from './subjects.ts'

export interface Report {
  date: string
  machine: string
  /** Above 1, ours is the faster one. */
  ratios: { name: string; rate: number; cpu: number; least: number; most: number }[]
  rows: ({ name: string } & Round)[]
}

/** Medians over the rounds. A ratio is the median of the ratios of single rounds, whose two parts ran close together. */
export function summarize(results: ReadonlyMap<string, Round[]>, comparisons: readonly Comparison[]): Report {
  return {
    date: new Date().toISOString(),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, Node ${process.versions.node}`,
    ratios: comparisons.map(({ of, to }) => {
      const [ours, others] = [results.get(of)!, results.get(to)!]
      const rates = ours.map(({ rate }, round) => rate / others[round]!.rate)
      const cpu = median(ours.map(({ cpu }, round) => others[round]!.cpu / cpu))
      return { name: `${of} / ${to}`, rate: median(rates), cpu, least: Math.min(...rates), most: Math.max(...rates) }
    }),
    rows: [...results].map(([name, rounds]) => {
      const of = (key: keyof Round) => median(rounds.map((round) => round[key]))
      return { name, rate: of('rate'), p50: of('p50'), p95: of('p95'), p99: of('p99'), cpu: of('cpu') }
    }),
  }
}

/** The tables for people, ratios first. */
export function print({ date, machine, ratios, rows }: Report): string {
  return [
    `${date}, ${machine}`,
    table(
      ['ratio', 'requests a second', 'of single rounds', 'CPU'],
      ratios.map(({ name, rate, least, most, cpu }) => [name, two(rate), `${two(least)} to ${two(most)}`, two(cpu)]),
    ),
    table(
      ['call', 'requests a second', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU ms'],
      rows.map(({ name, rate, p50, p95, p99, cpu }) => [
        name,
        rate < 100 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en'),
        ...[p50, p95, p99].map(two),
        cpu.toFixed(3),
      ]),
    ),
  ].join('\n\n')
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const rule = head.map((_, place) => (place === 0 ? '---' : '--:'))
  return [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function two(value: number): string {
  return value.toFixed(2)
}
