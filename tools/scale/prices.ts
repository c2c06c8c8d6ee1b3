import type { Cost } from './cost.ts'

/**
 * Cloudflare's prices beyond what the Paid plan includes, in dollars: requests, CPU, D1, KV, queues and logs, as
 * published in November 2026.
 */
export const prices = {
  requests: 0.3e-6,
  cpuMs: 0.02e-6,
  rowsRead: 0.001e-6,
  rowsWritten: 1e-6,
  kvReads: 0.5e-6,
  kvWrites: 5e-6,
  queueOperations: 0.4e-6,
  logBytes: 0.25e-9,
  /** For a month. */
  storedBytes: 0.75e-9,
}

/** A message is written, read and deleted. */
const operationsPerMessage = 3

/** What a password costs by itself, see docs/decisions. */
const hashMs = 150

/**
 * The CPU of a call in ms: medians of `npm run bench:cpu`, and the hash for each password that is set or checked. A
 * call that `npm run bench:cpu` does not have counts like the one most alike.
 */
const cpuMs: Record<string, number> = {
  register: 6 + hashMs,
  activate: 5 + hashMs,
  'sign in, unknown device': 6 + hashMs,
  'sign in, known device': 6 + hashMs,
  'refused sign-in': 6 + hashMs,
  refresh: 3,
  'verify at the edge': 0.4,
  'own account': 1.5,
  'own sessions': 1.5,
  'own activity': 2.5,
  'change the profile': 2,
  'change the password': 7 + 2 * hashMs,
  'log out': 2,
  'request a reset': 2,
  'reset the password': 6 + hashMs,
  'sign in, factor asked for': 6 + hashMs,
  'second factor: app': 6,
  'sign in with a passkey': 6,
  'own factors': 1.5,
}
const otherCpuMs = 5.5

/** Dollars for one call, with the work after its answer. */
export function dollarsPerCall(name: string, cost: Cost): number {
  return (
    prices.requests +
    prices.cpuMs * (cpuMs[name] ?? otherCpuMs) +
    prices.rowsRead * cost.rowsRead +
    prices.rowsWritten * cost.rowsWritten +
    prices.kvReads * cost.kvReads +
    prices.kvWrites * cost.kvWrites +
    prices.queueOperations * operationsPerMessage * cost.queueSends +
    prices.logBytes * cost.logBytes
  )
}

/** What users do in a month. A client that is in use refreshes every ten minutes. */
export const months: readonly { name: string; calls: Readonly<Record<string, number>> }[] = [
  {
    name: 'one sign-in, half an hour',
    calls: { 'sign in, known device': 1, refresh: 3, 'own account': 1, 'verify at the edge': 30 },
  },
  {
    name: 'a sign-in a week, half an hour each',
    calls: { 'sign in, known device': 4.3, refresh: 13, 'own account': 4.3, 'verify at the edge': 130 },
  },
  {
    name: 'a sign-in a day, two hours each',
    calls: { 'sign in, known device': 30, refresh: 360, 'own account': 30, 'verify at the edge': 3000 },
  },
  {
    name: 'a new user: registration, activation, two emails',
    calls: { register: 1, activate: 1, 'deliver an email': 2, 'webhook: delivered': 2 },
  },
]
