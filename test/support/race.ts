/** Calls at the same moment, and what was answered to them. */
import { codeOf } from './answers.ts'
import type { Answer } from './service.ts'

export const callers = 20

/** Sends a call for each caller before any of them is answered. */
export function atOnce(send: (index: number) => Promise<Answer>): Promise<Answer[]>
export function atOnce<T>(send: (index: number) => Promise<T>): Promise<T[]>
export function atOnce(send: (index: number) => Promise<unknown>): Promise<unknown[]> {
  return Promise.all(Array.from({ length: callers }, (_, index) => send(index)))
}

export function countStatus(answers: readonly Answer[], status: number): number {
  return answers.filter((answer) => answer.status === status).length
}

/** How often each code was answered, or each status without one. */
export function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const answer of answers) {
    const outcome = codeOf(answer) ?? String(answer.status)
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  return counts
}
