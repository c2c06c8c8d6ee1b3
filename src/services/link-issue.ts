import type { Context } from '../context.ts'
import { signInternalToken } from '../crypto/tokens.ts'
import { insertAuditEvent } from '../store/audit.ts'
import { type Expression, allOf, batch, never } from '../store/db.ts'
import { emailHasNoLink, updateEmail } from '../store/emails.ts'
import { insertLink, selectLink } from '../store/links.ts'
import type { Email, LinkPurpose, OneTimeLink } from '../store/schema.ts'
import { auditEvent } from './audit.ts'

const day = 24 * 60 * 60 * 1000

const kinds = {
  activation: { lifeMs: day, typ: 'activation+jwt', page: '/activate', event: 'user.activation_requested' },
  reset: { lifeMs: day / 24, typ: 'reset+jwt', page: '/reset-password', event: 'user.password_reset_requested' },
} as const

export interface IssuedLink {
  url: string
  expiresAt: Date
}

/**
 * The link that a mail carries. Its row is made with the first delivery and only then, so a link that was used does not
 * come back when the mail is sent again. The token follows from the row: a repeated mail is byte for byte the same.
 *
 * @param guard what must hold of the user for a link to be made
 * @returns `undefined` when the link is used, expired, or was not to be made: there is nothing to mail
 */
export async function issueLink(
  ctx: Context,
  email: Email,
  purpose: LinkPurpose,
  about: { userId: string; registrationId: string | null },
  guard: Expression,
): Promise<IssuedLink | undefined> {
  const { id, params } = email
  const { lifeMs, event, typ, page } = kinds[purpose]
  const now = ctx.now()
  const { ip = null, country = null, userAgent = null, requestId = null } = params
  const isFirst = allOf(emailHasNoLink(id), guard)
  const link: OneTimeLink = { id, purpose, ...about, createdAt: now, expiresAt: new Date(now.getTime() + lifeMs) }
  const requested = { ...auditEvent(ctx, event, { userId: about.userId }), ip, country, userAgent, requestId }
  const [, , , [stored]] = await batch(ctx.db, [
    insertAuditEvent(ctx.db, requested, isOnRecord(email) ? never : isFirst),
    insertLink(ctx.db, link, isFirst),
    updateEmail(ctx.db, id, { linkedAt: now }, isFirst),
    selectLink(ctx.db, id),
  ])
  if (!stored || stored.expiresAt <= now) return undefined
  const token = await signInternalToken(ctx.internalTokens, typ, { jti: id }, stored.createdAt, stored.expiresAt)
  return { url: `${ctx.config.publicUrl}${page}#token=${token}`, expiresAt: stored.expiresAt }
}

/** The request that caused the mail was an event itself: a registration, or the act of an ADMIN. */
function isOnRecord({ template, params }: Email): boolean {
  return template === 'registration' || template === 'set_password' || params.byAdministrator === true
}
