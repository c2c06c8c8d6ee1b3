import { cpus } from 'node:os'
import { type Round, median } from './rounds.ts'
import type { BesideSignIns } from './beside-sign-ins.ts'
import type { Start } from './start.ts'
import type { Comparison } from './subjects.ts'

export interface Report {
  date: string
  machine: string
  /** Above 1, ours is the faster one. */
  ratios: { name: string; rate: number; cpu: number; least: number; most: number }[]
  rows: ({ name: string } & Round)[]
  beside: BesideSignIns[]
  starts: Start[]
}

/**
 * Medians over the rounds. A ratio is the median of the ratios of single rounds, whose two parts ran close together.
 */
export function summarize(results: ReadonlyMap<string, Round[]>, comparisons: readonly Comparison[]) {
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
export function print({ date, machine, ratios, rows, beside, starts }: Report): string {
  const tables = [
    table(
      'Ratios',
      ['ratio', 'requests a second', 'of single rounds', 'CPU'],
      ratios.map(({ name, rate, least, most, cpu }) => [name, two(rate), `${two(least)} to ${two(most)}`, two(cpu)]),
    ),
    table(
      'Calls',
      ['call', 'requests a second', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU ms'],
      rows.map(({ name, rate, p50, p95, p99, cpu }) => [
        name,
        rate < 100 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en'),
        ...[p50, p95, p99].map(two),
        cpu.toFixed(3),
      ]),
    ),
    table(
      'Beside sign-ins',
      [
        'verify',
        'idle p95 ms',
        'p50 ms',
        'p95 ms',
        'p99 ms',
        'sign-ins a second',
        'turned away',
        'slowest of 20 / sum',
      ],
      beside.map((each) => [
        each.worker,
        two(each.idle.p95),
        ...[each.beside.p50, each.beside.p95, each.beside.p99, each.signInsPerSecond].map(two),
        String(each.turnedAway),
        two(each.slowestToSum),
      ]),
    ),
    table(
      'Start',
      ['start', 'CPU ms', 'of single runs'],
      starts.map(({ name, cpu, least, most }) => [name, two(cpu), `${two(least)} to ${two(most)}`]),
    ),
  ]
  return [`${date}, ${machine}`, ...tables.filter((text) => text !== '')].join('\n\n')
}

/** With a heading. Empty without rows. */
function table(heading: string, head: readonly string[], body: readonly (readonly string[])[]): string {
  if (body.length === 0) return ''
  const rule = head.map((_, place) => (place === 0 ? '---' : '--:'))
  const lines = [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`)
  return [`### ${heading}`, '', ...lines].join('\n')
}

function two(value: number): string {
  return value.toFixed(2)
}
