/**
 * Converts events of the audit trail to rows and back. The id holds the time; ids, addresses and request ids are bytes.
 */
import { SQL, is, sql } from 'drizzle-orm'
import { timeOf } from '../crypto/random.ts'
import { bytesOfIp, ipOfBytes } from '../ip-address.ts'
import { bytesOfRequestId, requestIdOfBytes } from '../request-id.ts'
import { type Expression, type Row, idParam } from './db.ts'
import { type AuditEvent, type AuditType, type auditEvents } from './schema/audit.ts'
import { unlistedUserAgent, userAgentNumber } from './user-agents.ts'

/** An event to record. An expression is evaluated at the moment of writing; one for an id gives bytes. */
export interface NewAuditEvent extends Omit<AuditEvent, 'userId' | 'actorId' | 'detail'> {
  userId: AuditEvent['userId'] | Expression
  actorId: AuditEvent['actorId'] | Expression
  /** A JSON object. As an expression it has neither `session_id` nor `email_id`: `subjectId` has that id. */
  detail: AuditEvent['detail'] | Expression
  subjectId?: Expression | null
  /** Only a sign-in sets it: its batch may add the user agent to the table. */
  userAgentId?: Expression
}

/**
 * Whether an event keeps the text of an unlisted user agent in its detail: the user agent of a thief is rarely listed.
 * True for those with which somebody takes an account, weakens it or copies its data. Nobody can cause one of them
 * without a token, an emailed link or a factor of the account, so strangers cannot fill rows with long texts.
 */
const namesUserAgent: Record<AuditType, boolean> = {
  'user.password_changed': true,
  'user.password_change_refused': true,
  'user.password_reset': true,
  'user.role_changed': true,
  'user.suspended': true,
  'user.reinstated': true,
  'user.deleted': true,
  'user.deletion_refused': true,
  'session.refresh_repeated': true,
  'session.reuse_detected': true,
  'email.suppression_lifted': true,
  'user.step_up_refused': true,
  'user.factor_added': true,
  'user.factor_removed': true,
  'user.recovery_code_used': true,
  'user.recovery_codes_renewed': true,
  'user.factors_reset': true,
  'user.email_change_requested': true,
  'user.email_changed': true,
  'user.email_change_reverted': true,
  'user.exported': true,
  'user.passkey_doubted': true,
  'user.passkey_renamed': true,

  // Strangers can cause these. Some of them know a password, but have no session.
  'user.registered': false,
  'user.activation_requested': false,
  'user.activation_refused': false,
  'user.sign_in_refused': false,
  'user.second_factor_refused': false,
  'user.password_reset_requested': false,
  // A sign-in lists its user agent, as far as the user may add any.
  'user.activated': false,
  'user.signed_in': false,
  // Frequent. What somebody does after a step-up is an event of its own.
  'user.stepped_up': false,
  'user.profile_updated': false,
  'session.ended': false,
  // No person causes these.
  'user.expired': false,
  'email.failed': false,
  'email.undeliverable': false,
}

type Stored = typeof auditEvents.$inferSelect & { userAgent: string | null }

export function rowOf(event: NewAuditEvent): Row<typeof auditEvents> {
  const { id, type, userId, actorId, ip, country, userAgent, requestId } = event
  const about = aboutOf(event)
  return {
    id,
    type,
    userId,
    ...actorOf(userId, actorId),
    subjectId: about.subjectId,
    detail: userAgent !== null && namesUserAgent[type] ? withUnlisted(about.detail, userAgent) : about.detail,
    ip: bytesOfIp(ip),
    country,
    userAgentId: event.userAgentId ?? userAgentNumber(userAgent),
    requestId: requestId === null ? null : bytesOfRequestId(requestId),
  }
}

export function eventOf(row: Stored): AuditEvent {
  const { id, type, userId, country } = row
  const { user_agent: unlisted, ...detail } = row.detail ?? {}
  return {
    id,
    at: timeOf(id),
    type,
    userId,
    country,
    userAgent: typeof unlisted === 'string' ? unlisted : row.userAgent,
    actorId: row.byUser ? row.userId : row.actorId,
    ip: row.ip && ipOfBytes(row.ip),
    requestId: row.requestId && requestIdOfBytes(row.requestId),
    detail: detailOf(type, row.subjectId, detail),
  }
}

/** An address in a detail that the database makes: JSON holds no bytes. The name of the property ends with `_ip`. */
export function ipInDetail(ip: SQL): SQL {
  return sql`nullif(hex(${ip}), '')`
}

function actorOf(userId: NewAuditEvent['userId'], actorId: NewAuditEvent['actorId']) {
  if (!is(userId, SQL) && !is(actorId, SQL)) {
    const byUser = actorId !== null && actorId === userId
    return { byUser, actorId: byUser ? null : actorId }
  }
  const [user, actor] = [expressionOf(userId), expressionOf(actorId)]
  return { byUser: sql`coalesce(${actor} = ${user}, 0)`, actorId: sql`nullif(${actor}, ${user})` }
}

function expressionOf(id: string | null | SQL): SQL {
  if (is(id, SQL)) return id
  return id === null ? sql`null` : idParam(id)
}

function subjectOf(type: AuditType): 'email_id' | 'session_id' {
  return type.startsWith('email.') ? 'email_id' : 'session_id'
}

function aboutOf({ type, detail, subjectId = null }: NewAuditEvent) {
  if (detail === null || is(detail, SQL)) return { subjectId, detail }
  const { [subjectOf(type)]: subject, ...rest } = detail
  return {
    subjectId: typeof subject === 'string' ? subject : subjectId,
    detail: Object.keys(rest).length > 0 ? rest : null,
  }
}

function withUnlisted(detail: AuditEvent['detail'] | SQL, userAgent: string): SQL {
  const given = is(detail, SQL) ? detail : sql`${detail && JSON.stringify(detail)}`
  return sql`nullif(json_patch(coalesce(${given}, '{}'), ${unlistedUserAgent(userAgent)}), '{}')`
}

function detailOf(type: AuditType, subjectId: string | null, detail: NonNullable<AuditEvent['detail']>) {
  const entries = Object.entries(detail).map(([name, value]) => [name, name.endsWith('_ip') ? ipOfHex(value) : value])
  if (subjectId !== null) entries.unshift([subjectOf(type), subjectId])
  return entries.length > 0 ? Object.fromEntries(entries) : null
}

function ipOfHex(value: unknown): unknown {
  return typeof value === 'string'
    ? ipOfBytes(Uint8Array.from(value.match(/../g) ?? [], (digits) => parseInt(digits, 16)))
    : value
}
