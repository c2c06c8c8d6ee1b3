import type { Ctx } from '../../context.ts'
import { emailChange, linkLifeSeconds } from '../../config/policy.ts'
import { timeOf } from '../../crypto/random.ts'
import { type Claims, type TokenType, signToken } from '../../crypto/tokens.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { allOf, never } from '../../store/db.ts'
import { emailHasNoLink, updateEmail } from '../../store/emails.ts'
import { insertLink, renewLinks, selectLinks } from '../../store/links.ts'
import type { Email } from '../../store/schema/emails.ts'
import type { LinkPurpose, OneTimeLink } from '../../store/schema/links.ts'
import { auditEvent } from '../audit/trail.ts'
import { findKind } from './kinds.ts'
import type { IssuedLink, LinkNeed, RevertNeed } from './plan.ts'

/** What differs between the purposes of a link. */
const linkKinds = {
  activation: { typ: 'activation+jwt', page: '/activate', event: 'user.activation_requested' },
  reset: { typ: 'reset+jwt', page: '/reset-password', event: 'user.password_reset_requested' },
  email_change: { typ: 'email-change+jwt', page: '/confirm-email', event: 'user.email_change_requested' },
} as const satisfies Record<LinkPurpose, object>

export interface LinkRequest<Need = LinkNeed | RevertNeed> {
  email: Email
  /** When this delivery claimed the email. */
  claimedAt: Date
  need: Need
}

/**
 * Issues the links that emails carry, in one round trip for all of them. The first delivery of an email stores its
 * link, and no later one does, so a link that was used does not come back when the email is sent again. The token
 * follows from the stored row: a repeated email is the same, byte for byte.
 *
 * An email that was certainly refused every time has been seen by nobody, so its link gets new times. Otherwise no
 * email with a link could outlast a provider's quota.
 *
 * @returns links by the id of the email. There is no entry for a link that was used, has expired or must not be made;
 *   its email is not sent
 */
export async function issueLinks(ctx: Ctx, requests: readonly LinkRequest[]): Promise<Map<string, IssuedLink>> {
  const reverts = await Promise.all(requests.filter(isRevert).map((request) => issueRevert(ctx, request)))
  return new Map([...reverts, ...(await issueStored(ctx, requests.filter(isStored)))])
}

function isRevert(request: LinkRequest): request is LinkRequest<RevertNeed> {
  return request.need.purpose === 'email_revert'
}

function isStored(request: LinkRequest): request is LinkRequest<LinkNeed> {
  return !isRevert(request)
}

async function issueStored(ctx: Ctx, requests: readonly LinkRequest<LinkNeed>[]): Promise<[string, IssuedLink][]> {
  if (requests.length === 0) return []
  const now = ctx.now()
  const unseen = requests.filter(isUnseen)
  const { links } = await batch(ctx.db, {
    stored: requests.flatMap((request) => storeOnce(ctx, request, now)),
    renewed: unseen.length > 0 ? renewLinks(ctx.db, unseen.map(renewFrom(now))) : undefined,
    links: selectLinks(
      ctx.db,
      requests.map(({ email }) => email.id),
    ),
  })
  const live = links.filter(({ expiresAt }) => expiresAt > now)
  const returnToOf = new Map(requests.map(({ email: { id, params } }) => [id, params.returnTo]))
  return Promise.all(live.map(async (link) => [link.id, await issue(ctx, link, returnToOf.get(link.id))]))
}

/** A link was made before, and no try is in doubt: this claim is the first that may be accepted. */
function isUnseen({ email: { linkedAt, inDoubtSince }, claimedAt }: LinkRequest<LinkNeed>): boolean {
  return linkedAt !== null && inDoubtSince?.getTime() === claimedAt.getTime()
}

/** Stores a link, unless its email has had one. */
function storeOnce(ctx: Ctx, { email, need: { guard, ...need } }: LinkRequest<LinkNeed>, now: Date) {
  const { id, template, params } = email
  const { ip = null, country = null, userAgent = null, requestId = null } = params
  const isFirst = allOf(emailHasNoLink(id), guard)
  const isOnRecord = findKind(template)?.isOnRecord ?? params.isOnRecord ?? params.byAdministrator ?? false
  const event = auditEvent(ctx, linkKinds[need.purpose].event, { userId: need.userId })
  return [
    insertAuditEvent(ctx.db, { ...event, ip, country, userAgent, requestId }, isOnRecord ? never : isFirst),
    insertLink(ctx.db, { id, ...need, ...computeTimes(now, need.purpose) }, isFirst),
    updateEmail(ctx.db, id, { linkedAt: now }, isFirst),
  ]
}

function renewFrom(now: Date) {
  return ({ email: { id, attempts }, need }: LinkRequest<LinkNeed>) => ({
    id,
    attempts,
    ...computeTimes(now, need.purpose),
  })
}

function computeTimes(now: Date, purpose: LinkPurpose) {
  return { createdAt: now, expiresAt: new Date(now.getTime() + linkLifeSeconds[purpose] * 1000) }
}

/**
 * Whoever asked for the email chose `returnTo`, perhaps for an address that is not theirs. Inside the token it is no
 * text that a recipient reads or a mail program turns into a link of its own. The page checks it again.
 */
async function issue(
  ctx: Ctx,
  { id, purpose, createdAt, expiresAt }: OneTimeLink,
  returnTo: string | undefined,
): Promise<IssuedLink> {
  const { typ, page } = linkKinds[purpose]
  const claims = { jti: id, ...(returnTo !== undefined && { return_to: returnTo }) }
  return sign(ctx, { typ, page, claims, createdAt, expiresAt })
}

/** The token follows from the ids of the email and the change, so a repeated email is the same, too. */
async function issueRevert(ctx: Ctx, { email, need }: LinkRequest<RevertNeed>): Promise<[string, IssuedLink]> {
  const createdAt = timeOf(email.id)
  const expiresAt = new Date(createdAt.getTime() + emailChange.revertMs)
  const claims = { jti: need.firstLinkId, sub: need.userId }
  return [email.id, await sign(ctx, { typ: 'email-revert+jwt', page: '/revert-email', claims, createdAt, expiresAt })]
}

interface LinkToken<T extends TokenType> {
  typ: T
  page: string
  claims: Claims<T>
  createdAt: Date
  expiresAt: Date
}

async function sign<T extends TokenType>(
  { tokens, config }: Ctx,
  { typ, page, claims, createdAt, expiresAt }: LinkToken<T>,
): Promise<IssuedLink> {
  const token = await signToken(tokens, typ, claims, createdAt, expiresAt)
  return { url: `${config.publicUrl}${page}#token=${token}`, expiresAt }
}
