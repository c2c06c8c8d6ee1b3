import type { Ctx } from '../../context.ts'
import { happened, insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { idParam } from '../../store/db.ts'
import {
  type EmailReference,
  fateDetail,
  fateIsNews,
  settleAccepted,
  updateDelivered,
  updateEmailProblem,
  updateFate,
  userIdOfEmail,
} from '../../store/email-fate.ts'
import { type EmailFate, type EmailProblem, emailProblems } from '../../store/schema/emails.ts'
import { auditEvent } from '../audit/trail.ts'
import { forgetfulTemplates } from './kinds.ts'

export interface FateEvent {
  about: EmailReference
  fate: EmailFate
  at: Date
}

/**
 * Records what became of an email. A fate only ever moves on, and its consequences depend on that move: an event has
 * the same effect once, twice or after a later one, and a replayed event does not bring back a suppression that was
 * lifted. An event about an unknown or a deleted email does nothing.
 */
export async function recordFate(ctx: Ctx, { about, fate, at }: FateEvent): Promise<void> {
  ctx.measure('mail', { outcome: fate, numbers: { emails: 1 } })
  if (isProblem(fate)) return suppress(ctx, about, fate)
  const now = ctx.now()
  await batch(ctx.db, {
    moved: fate === 'delivered' ? updateDelivered(ctx.db, about, at < now ? at : now) : updateFate(ctx.db, about, fate),
    settled: provesAcceptance(fate) ? settleAccepted(ctx.db, about, now, forgetfulTemplates) : undefined,
  })
}

/**
 * Resend tries the recipient's server, or checks its suppression list, only after it has accepted an email. `failed`
 * alone may be about one that it never accepted (quota, API key, domain). So an email in doubt is repeated after
 * `failed`, which is harmless under the same idempotency key.
 */
function provesAcceptance(fate: EmailFate): boolean {
  return fate !== 'failed'
}

/**
 * The address does not work, or its owner wants no email: sending on would cost the reputation of every other email.
 */
async function suppress(ctx: Ctx, about: EmailReference, problem: EmailProblem): Promise<void> {
  const event = {
    ...auditEvent(ctx, 'email.undeliverable', {}),
    userId: userIdOfEmail(about),
    subjectId: idParam(about.id),
    detail: fateDetail(about, problem),
    // The request came from the provider, so its origin says nothing about the user.
    ip: null,
    country: null,
    userAgent: null,
  }
  const ifDone = happened(event.id)
  await batch(ctx.db, {
    recorded: insertAuditEvent(ctx.db, event, fateIsNews(about, problem)),
    moved: updateFate(ctx.db, about, problem, ifDone),
    stopped: updateEmailProblem(ctx.db, about, problem, ifDone),
    // Last, because it may erase the address that the statements before it look up.
    settled: settleAccepted(ctx.db, about, ctx.now(), forgetfulTemplates),
  })
}

function isProblem(fate: EmailFate): fate is EmailProblem {
  return emailProblems.some((problem) => problem === fate)
}
