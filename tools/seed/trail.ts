/** The events and emails in the histories of seeded people. */
import { auditDays, retention } from '../../src/config/policy.ts'
import { bytesOfUuid } from '../../src/crypto/random.ts'
import { dayMs } from '../../src/durations.ts'
import { type AuditType, auditEvents } from '../../src/store/schema/audit.ts'
import { type EmailParams, emails } from '../../src/store/schema/emails.ts'
import { type MailEnd, mailEnd } from './mail-ends.ts'
import type { Origin, originsOf } from './origins.ts'
import type { SeededPerson } from './people.ts'
import type { Random } from './random.ts'
import type { Put } from './rows.ts'

/** Shared by the histories of all people. */
export interface World {
  random: Random
  nowMs: number
  passwordHash: Uint8Array<ArrayBuffer>
  /** The actor of suspensions and changes of role. */
  adminId: string
  origins: ReturnType<typeof originsOf>
  put: Put
}

/** A day less than the cleanup keeps them, so that the data is still there tomorrow. */
export const keptMailsMs = retention.emails - dayMs
export const keptTrailMs = auditDays.kept * dayMs - dayMs
/** Queued emails are due in a year, so that the crons of `npm run dev` do not send them. */
const heldMs = 365 * dayMs

interface About {
  /** An email for `email.*`, a session for every other type. */
  subjectId?: string | null
  detail?: Record<string, string> | null
  origin?: Origin
}

/** Writes an event, unless it is so old that the cleanup has deleted it. */
export function putEvent(
  { random, nowMs, put, origins }: World,
  type: AuditType,
  at: number,
  actorId: string | null,
  userId: string,
  { subjectId = null, detail = null, origin = origins.any(random) }: About = {},
): void {
  if (at < nowMs - keptTrailMs) return
  const byUser = actorId === userId
  put(auditEvents, {
    id: random.id(at),
    type,
    userId,
    byUser,
    actorId: byUser ? null : actorId,
    subjectId,
    ...origin,
    requestId: bytesOfUuid(random.id(at)),
    detail,
  })
}

/** Returns the id, or `undefined` for an email so old that the cleanup has deleted it. */
export function putMail(
  { random, nowMs, put }: World,
  person: SeededPerson,
  template: string,
  at: number,
  params: EmailParams = {},
  end: MailEnd = mailEnd(random),
): string | undefined {
  if (at < nowMs - keptMailsMs) return undefined
  const isFinished = end.status !== 'queued' && end.status !== 'sending'
  const finishedAt = Math.min(at + 500 + random.below(5000), nowMs)
  const id = random.id(at)
  const dueAt = new Date(isFinished ? at : nowMs + heldMs)
  put(emails, {
    id,
    template,
    recipient: person.email,
    userId: person.id,
    budget: template,
    params,
    status: end.status,
    attempts: end.status === 'queued' ? 0 : end.status === 'failed' ? 1 + random.below(30) : 1,
    dueAt,
    announceAt: dueAt,
    inDoubtSince: end.status === 'unknown' ? new Date(at) : null,
    providerId: end.status === 'sent' ? random.id(at) : null,
    fate: end.fate ?? null,
    deliveredAt: end.fate === 'delivered' || end.fate === 'complained' ? new Date(finishedAt) : null,
    lastError: end.lastError ?? null,
    finishedAt: isFinished ? new Date(finishedAt) : null,
  })
  return id
}
