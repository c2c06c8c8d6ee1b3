import type { Ctx } from '../../context.ts'
import { signToken } from '../../crypto/tokens.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { type Expression, allOf, batchAll, never } from '../../store/db.ts'
import { emailHasNoLink, updateEmail } from '../../store/emails.ts'
import { type Renewal, insertLink, renewLinks, selectLinks } from '../../store/links.ts'
import type { Email, LinkPurpose, OneTimeLink } from '../../store/schema.ts'
import { auditEvent } from '../audit/trail.ts'

const day = 24 * 60 * 60 * 1000

const kinds = {
  activation: { lifeMs: day, typ: 'activation+jwt', page: '/activate', event: 'user.activation_requested' },
  reset: { lifeMs: day / 24, typ: 'reset+jwt', page: '/reset-password', event: 'user.password_reset_requested' },
} as const

export interface LinkRequest {
  email: Email
  purpose: LinkPurpose
  about: { userId: string; registrationId: string | null }
  /** What must hold of the user for a link to be made. */
  guard: Expression
}

export interface IssuedLink {
  url: string
  expiresAt: Date
}

/**
 * The links that mails carry, in one round trip. The row of a link is made with the first delivery and only then, so a
 * link that was used does not come back when the mail is sent again. The token follows from the row: a repeated mail is
 * byte for byte the same. What was refused for certain each time has been seen by nobody, so its link's life begins anew:
 * else no mail with a link could outlast a quota.
 *
 * @returns by the id of the mail. One is missing when it is used, expired, or was not to be made: there is nothing to mail
 */
export async function issueLinks(
  ctx: Ctx,
  requests: readonly LinkRequest[],
  claimedAt: Date,
): Promise<Map<string, IssuedLink>> {
  if (requests.length === 0) return new Map()
  const now = ctx.now()
  const ids = requests.map(({ email }) => email.id)
  const unseen = requests.filter(({ email }) => email.linkedAt && email.inDoubtSince?.getTime() === claimedAt.getTime())
  const results = await batchAll(ctx.db, [
    ...requests.flatMap((request) => insertOnce(ctx, request, now)),
    ...(unseen.length > 0 ? [renewLinks(ctx.db, unseen.map(renewedAt(now)))] : []),
    selectLinks(ctx.db, ids),
  ])
  const stored = results.at(-1) as OneTimeLink[]
  const live = stored.filter(({ expiresAt }) => expiresAt > now)
  return new Map(await Promise.all(live.map(async (link) => [link.id, await readyToMail(ctx, link)] as const)))
}

/** Makes a link, unless its mail has had one. */
function insertOnce(ctx: Ctx, { email, purpose, about, guard }: LinkRequest, now: Date) {
  const { id, params } = email
  const { event } = kinds[purpose]
  const { ip = null, country = null, userAgent = null, requestId = null } = params
  const isFirst = allOf(emailHasNoLink(id), guard)
  const link: OneTimeLink = { id, purpose, ...about, ...timesFrom(now, purpose) }
  const requested = { ...auditEvent(ctx, event, { userId: about.userId }), ip, country, userAgent, requestId }
  return [
    insertAuditEvent(ctx.db, requested, isOnRecord(email) ? never : isFirst),
    insertLink(ctx.db, link, isFirst),
    updateEmail(ctx.db, id, { linkedAt: now }, isFirst),
  ] as const
}

function renewedAt(now: Date) {
  return ({ email: { id, attempts }, purpose }: LinkRequest): Renewal => ({ id, attempts, ...timesFrom(now, purpose) })
}

function timesFrom(now: Date, purpose: LinkPurpose) {
  return { createdAt: now, expiresAt: new Date(now.getTime() + kinds[purpose].lifeMs) }
}

async function readyToMail(ctx: Ctx, { id, purpose, createdAt, expiresAt }: OneTimeLink): Promise<IssuedLink> {
  const { typ, page } = kinds[purpose]
  const token = await signToken(ctx.tokens, typ, { jti: id }, createdAt, expiresAt)
  return { url: `${ctx.config.publicUrl}${page}#token=${token}`, expiresAt }
}

/** The request that caused the mail was an event itself: a registration, or the act of an ADMIN. */
function isOnRecord({ template, params }: Email): boolean {
  return template === 'registration' || template === 'set_password' || params.byAdministrator === true
}
