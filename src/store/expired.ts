/** What the cleanup deletes. */
import { type SQL, and, eq, gte, lt, lte, sql } from 'drizzle-orm'
import { linkLifeSeconds, passwordAttempts, refreshTokenSeconds, retention } from '../config/policy.ts'
import { uuidv7Floor } from '../crypto/random.ts'
import { dayMs } from '../durations.ts'
import { allOf, always, anyOf } from './db.ts'
import { isOpen } from './emails.ts'
import { attemptCounters } from './schema/attempts.ts'
import { auditEvents } from './schema/audit.ts'
import { emailChanges } from './schema/email-changes.ts'
import { emails } from './schema/emails.ts'
import { oneTimeLinks } from './schema/links.ts'
import { registrations } from './schema/registrations.ts'
import { sessions } from './schema/sessions.ts'
import { users } from './schema/users.ts'
import type { Walk } from './sweeps.ts'

/**
 * The tables that the cleanup walks, each by its primary key. A table whose rows have an end gets an entry here. No
 * further index is needed: it would cost another written row for each row or each change.
 *
 * @param auditDays how long events are kept, `null` when the cleanup leaves them
 */
export function expiredAt(now: Date, auditDays: number | null): Walk[] {
  const ago = (ms: number) => new Date(now.getTime() - ms)
  const idBefore = (ms: number) => uuidv7Floor(ago(ms))
  const week = idBefore(retention.registrations)
  const { count, updatedAt } = attemptCounters
  return [
    // A link lives for at least an hour, a session at least for its first idle time: newer ids cannot have expired.
    {
      key: oneTimeLinks.id,
      before: idBefore(linkLifeSeconds.reset * 1000),
      isExpired: allOf(lte(oneTimeLinks.expiresAt, now), hasNoOpenEmail),
    },
    { key: sessions.id, before: idBefore(refreshTokenSeconds * 1000), isExpired: lte(sessions.expiresAt, now) },
    {
      key: attemptCounters.key,
      isExpired: anyOf(
        allOf(lt(count, passwordAttempts.max), lt(updatedAt, ago(retention.attempts))),
        allOf(gte(count, passwordAttempts.max), lt(updatedAt, ago(retention.exhaustedAttempts))),
      ),
    },
    { key: registrations.id, before: week, isExpired: allOf(hasNoRegistrationSince(week), hasNoPendingUser) },
    { key: emailChanges.userId, isExpired: lte(emailChanges.revertUntil, now) },
    { key: emails.id, before: idBefore(retention.emails), isExpired: sql`not ${isOpen}` },
    ...(auditDays === null ? [] : [{ key: auditEvents.id, before: idBefore(auditDays * dayMs), isExpired: always }]),
  ]
}

/** Delivery may renew the link of an open email. */
const hasNoOpenEmail = sql`not exists (select 1 from ${emails}
  where ${eq(emails.id, oneTimeLinks.id)} and ${isOpen})`

function hasNoRegistrationSince(id: string): SQL {
  return sql`not exists (select 1 from registrations as newer
    where newer.email = ${registrations.email} and newer.id >= ${sql.param(id, registrations.id)})`
}

const hasNoPendingUser = sql`not exists (select 1 from ${users}
  where ${and(eq(users.email, registrations.email), eq(users.status, 'pending'))})`
