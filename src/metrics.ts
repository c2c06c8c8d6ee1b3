/**
 * Numbers for dashboards and alerts, in Workers Analytics Engine where the operator has it (binding METRICS). A point
 * holds words of this code and numbers: never an id, an address, or a text that somebody chose.
 */

import { pointColumns } from './point-columns.ts'

export type PointKind = keyof typeof pointColumns

export interface Point<Kind extends PointKind> {
  /** The route with its method, the job, or the template. */
  subject?: string
  outcome?: string
  reason?: string | null | undefined
  numbers: Readonly<Record<(typeof pointColumns)[Kind][number], number>>
}

export type Measure = <Kind extends PointKind>(kind: Kind, point: Point<Kind>) => void

/**
 * Writes points to the dataset of an environment, or nowhere. A write needs no waiting, and is not billed as a request.
 */
export function measureIn({ METRICS: dataset }: Env): Measure {
  return (kind, { subject = '', outcome = '', reason, numbers }) =>
    dataset?.writeDataPoint({
      // Each index is sampled for itself: a flood of one outcome does not hide a rare one.
      indexes: [`${kind} ${outcome}`],
      blobs: [kind, subject, outcome, reason ?? ''],
      doubles: pointColumns[kind].map((name) => (numbers as Record<string, number>)[name]!),
    })
}
