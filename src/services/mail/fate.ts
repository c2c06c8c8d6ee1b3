import type { Ctx } from '../../context.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { orderedBatch, batchAll } from '../../store/db.ts'
import {
  type EmailReference,
  fateDetail,
  fateIsNews,
  settleAccepted,
  updateDeliveredAt,
  updateEmailProblem,
  updateFate,
  userIdOfEmail,
} from '../../store/email-fate.ts'
import { type EmailFate, type EmailProblem, emailProblems } from '../../store/schema.ts'
import { auditEvent } from '../audit/trail.ts'

export interface FateEvent {
  about: EmailReference
  fate: EmailFate
  at: Date
}

/**
 * Takes note of what became of a mail. A fate only ever moves on, and what follows from it hangs on its moving on: so an
 * event does the same once, twice or after a later one, and a replay brings no suppression back that was lifted.
 * An event about a mail that is not ours, or not any more, does nothing.
 */
export async function recordFate(ctx: Ctx, { about, fate, at }: FateEvent): Promise<void> {
  if (isProblem(fate)) return suppress(ctx, about, fate)
  const now = ctx.now()
  await batchAll(ctx.db, [
    updateFate(ctx.db, about, fate),
    ...(fate === 'delivered' ? [updateDeliveredAt(ctx.db, about, at < now ? at : now)] : []),
    ...(provesAcceptance(fate) ? [settleAccepted(ctx.db, about, now)] : []),
  ])
}

/**
 * A server that was asked for the recipient, now or later, or a list that was looked at first: Resend has taken the mail.
 * `failed` alone may be about one that it would not take, for a quota, its key or its domain; so a mail in doubt is
 * repeated after it, which under its key does no harm.
 */
function provesAcceptance(fate: EmailFate): boolean {
  return fate !== 'failed'
}

/** The address is no good, or its owner wants no mail of ours: to go on would cost us the reputation of the others. */
async function suppress(ctx: Ctx, about: EmailReference, problem: EmailProblem): Promise<void> {
  const event = {
    ...auditEvent(ctx, 'email.undeliverable', {}),
    userId: userIdOfEmail(about),
    detail: fateDetail(about, problem),
    // Where the provider called from says nothing about the user.
    ip: null,
    country: null,
    userAgent: null,
  }
  const ifDone = happened(event.id)
  await orderedBatch(ctx.db, [
    insertAuditEvent(ctx.db, event, fateIsNews(about, problem)),
    updateFate(ctx.db, about, problem, ifDone),
    updateEmailProblem(ctx.db, about, problem, ifDone),
    // Last: it may take the address away.
    settleAccepted(ctx.db, about, ctx.now()),
  ])
}

function isProblem(fate: EmailFate): fate is EmailProblem {
  return emailProblems.some((problem) => problem === fate)
}
