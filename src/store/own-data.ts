/** What the tables keep about one user, for an export. Never a secret, a hash or a key. */
import { and, desc, eq, ne, or } from 'drizzle-orm'
import { accountBudget, isOfDevice, isOfFactors } from './attempts.ts'
import type { Db } from './db.ts'
import { attemptCounters } from './schema/attempts.ts'
import { oneTimeLinks } from './schema/links.ts'

/** Without links to a new address: none is made for an address that has an account, which nobody may learn. */
export function selectLinksOf(db: Db, userId: string) {
  const { purpose, createdAt, expiresAt } = oneTimeLinks
  return db
    .select({ purpose, createdAt, expiresAt })
    .from(oneTimeLinks)
    .where(and(eq(oneTimeLinks.userId, userId), ne(purpose, 'email_change')))
    .orderBy(desc(oneTimeLinks.id))
}

/** The counts of wrong passwords and codes. Keys name devices and sessions, so a copy has only their kind. */
export function selectAttemptsOf(db: Db, { id, email }: { id: string; email: string }) {
  const { key, count, updatedAt } = attemptCounters
  return db
    .select({ key, count, updatedAt })
    .from(attemptCounters)
    .where(or(eq(key, accountBudget(email)), isOfFactors(id), isOfDevice(email)))
}
