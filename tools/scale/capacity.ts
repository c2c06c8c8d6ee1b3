import { auditDays } from '../../src/config/policy.ts'
import { maxDatabaseBytes } from '../../src/store/room.ts'

/** The bytes of a row with its indexes. */
export interface RowBytes {
  users: number
  sessions: number
  emails: number
  audit_events: number
}

/** How often people sign in, and how long their trail stays in D1. */
export interface Habit {
  name: string
  signInsPerDay: number
  trailDays: number
  /** How many users have to fit. */
  target: number
}

export const habits: readonly Habit[] = [
  { name: 'once a month', signInsPerDay: 1 / 30, trailDays: auditDays.beforeArchive, target: 5_000_000 },
  { name: 'once a week', signInsPerDay: 1 / 7, trailDays: auditDays.beforeArchive, target: 3_000_000 },
  { name: 'once a day', signInsPerDay: 1, trailDays: 30, target: 1_500_000 },
]

/**
 * Besides sign-ins, for each user: a device with its session, and every third month one email, which stays for a month,
 * and one other event, such as a refused password.
 */
const sessions = 1
const emailsStored = 1 / 3
const otherEventsPerDay = 1 / 90

/**
 * The bytes that one user takes in all tables.
 *
 * @param eventsPerSignIn 1, or 2 where people sign out or lose their session: its end is an event, too
 */
export function bytesPerUser(bytes: RowBytes, habit: Habit, eventsPerSignIn: number): number {
  const events = habit.trailDays * (habit.signInsPerDay * eventsPerSignIn + otherEventsPerDay)
  return bytes.users + sessions * bytes.sessions + emailsStored * bytes.emails + events * bytes.audit_events
}

/** How many users fit into one database. */
export function usersThatFit(bytes: RowBytes, habit: Habit, eventsPerSignIn: number): number {
  return Math.floor(maxDatabaseBytes / bytesPerUser(bytes, habit, eventsPerSignIn))
}
