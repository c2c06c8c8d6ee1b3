import { renderEmail } from '../../../emails/render.ts'
import type { Ctx } from '../../context.ts'
import { mailCode } from '../../crypto/mail-code.ts'
import type { Email, EmailParams } from '../../store/schema/emails.ts'
import type { Claimed, Composed, Dropped, Unreadable } from './claim.ts'
import { findFacts } from './facts.ts'
import { findKind } from './kinds.ts'
import { type LinkRequest, issueLinks } from './links.ts'
import type { Facts, IssuedLink, Plan } from './plan.ts'

interface Parsed extends Claimed {
  stage: 'parsed'
  email: Email
}

interface Planned extends Claimed {
  stage: 'planned'
  email: Email
  plan: Plan
}

/**
 * Decides what each claimed row has to say and writes it, in two round trips for all of them. The same rows with the
 * same accounts behind them give the same bytes again.
 *
 * @throws {AppError} `service_unavailable` when D1 fails; a problem with a single row is in that row's own result
 */
export async function composeEmails(
  ctx: Ctx,
  claims: readonly Claimed[],
): Promise<(Composed | Dropped | Unreadable)[]> {
  const parsed = claims.map((claim) => orUnreadable(claim, () => parse(claim)))
  const factsAbout = await findFacts(
    ctx,
    parsed.flatMap((each) => (each.stage === 'parsed' ? each.email : [])),
  )
  const planned = parsed.map((each) =>
    each.stage === 'parsed' ? orUnreadable(each, () => plan(each, factsAbout(each.email))) : each,
  )
  const links = await issueLinks(ctx, planned.flatMap(requestLink))
  const codes = new Map(await Promise.all(planned.flatMap((each) => computeCode(ctx, each))))
  return planned.map((each) =>
    each.stage === 'planned'
      ? orUnreadable(each, () => compose(ctx, each, links.get(each.row.id), codes.get(each.row.id)))
      : each,
  )
}

function parse(claim: Claimed): Parsed | Dropped {
  const { row } = claim
  if (row.suppressedUserId !== null) {
    // An email about a new address stays with the account that asked for it, whoever has the address.
    const userId = row.userId ?? row.suppressedUserId
    return { ...claim, stage: 'dropped', userId, lastError: 'recipient_suppressed' }
  }
  return { ...claim, stage: 'parsed', email: { ...row, params: JSON.parse(row.params) as EmailParams } }
}

function plan(claim: Parsed, facts: Facts): Planned | Dropped {
  const found = findKind(claim.email.template)?.plan(claim.email, facts)
  return found ? { ...claim, stage: 'planned', plan: found } : drop(claim, claim.row.userId)
}

function requestLink(each: Planned | Dropped | Unreadable): LinkRequest[] {
  return each.stage === 'planned' && each.plan.link ? [{ ...each, need: each.plan.link }] : []
}

/** A code is in no table and in no message of the queue: it is computed from a key whenever the email is written. */
function computeCode(
  { secrets: { dataKeys } }: Ctx,
  each: Planned | Dropped | Unreadable,
): Promise<[string, string]>[] {
  if (each.stage !== 'planned' || !each.plan.code) return []
  const { id } = each.row
  return [mailCode(dataKeys, each.plan.code, id).then((code) => [id, code])]
}

function compose(
  ctx: Ctx,
  { plan, ...claim }: Planned,
  link: IssuedLink | undefined,
  code: string | undefined,
): Composed | Dropped {
  const userId = plan.userId ?? claim.row.userId
  const message = messageOf(plan, link, code)
  if (!message) return drop(claim, userId)
  const mail = { id: claim.row.id, to: claim.row.recipient, ...renderEmail(message, ctx.config) }
  return { ...claim, stage: 'composed', mail, userId }
}

function messageOf(plan: Plan, link: IssuedLink | undefined, code: string | undefined) {
  if (plan.code) return code && plan.write(code)
  return plan.link ? link && plan.message(link) : plan.message
}

function drop(claim: Claimed, userId: string | null): Dropped {
  return { ...claim, stage: 'dropped', userId, lastError: claim.row.lastError }
}

function orUnreadable<T>(claim: Claimed, act: () => T): T | Unreadable {
  try {
    return act()
  } catch (error) {
    return { ...claim, stage: 'unreadable', error }
  }
}
