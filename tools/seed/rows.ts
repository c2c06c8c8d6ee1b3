import { auditEvents } from '../../src/store/schema/audit.ts'
import { emails } from '../../src/store/schema/emails.ts'
import { oneTimeLinks } from '../../src/store/schema/links.ts'
import { registrations } from '../../src/store/schema/registrations.ts'
import { sessions } from '../../src/store/schema/sessions.ts'
import { users } from '../../src/store/schema/users.ts'

/** Every table with seeded rows. A row comes after those that it refers to. */
export const tables = [users, sessions, registrations, oneTimeLinks, emails, auditEvents] as const
export type Table = (typeof tables)[number]

/** Writes each row as it is made: the rows of a million people need not fit into memory. */
export type Put = <Into extends Table>(table: Into, row: Into['$inferInsert']) => void
