import type { Context } from '../context.ts'
import { happened, insertAuditEvent } from '../store/audit.ts'
import { batch } from '../store/db.ts'
import {
  type EmailReference,
  fateDetail,
  fateIsNews,
  updateDeliveredAt,
  updateEmailProblem,
  updateFate,
  userIdOfEmail,
} from '../store/email-fate.ts'
import { type EmailFate, type EmailProblem, emailProblems } from '../store/schema.ts'
import { auditEvent } from './audit.ts'

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
export async function recordFate(ctx: Context, { about, fate, at }: FateEvent): Promise<void> {
  if (isProblem(fate)) return suppress(ctx, about, fate)
  if (fate !== 'delivered') {
    await updateFate(ctx.db, about, fate)
    return
  }
  const deliveredAt = at < ctx.now() ? at : ctx.now()
  await batch(ctx.db, [updateFate(ctx.db, about, fate), updateDeliveredAt(ctx.db, about, deliveredAt)])
}

/** The address is no good, or its owner wants no mail of ours: to go on would cost us the reputation of the others. */
async function suppress(ctx: Context, about: EmailReference, problem: EmailProblem): Promise<void> {
  const event = {
    ...auditEvent(ctx, 'email.undeliverable', {}),
    userId: userIdOfEmail(about),
    detail: fateDetail(about, problem),
    // Where the provider called from says nothing about the user.
    ip: null,
    country: null,
    userAgent: null,
  }
  const done = happened(event.id)
  await batch(ctx.db, [
    insertAuditEvent(ctx.db, event, fateIsNews(about, problem)),
    updateFate(ctx.db, about, problem, done),
    updateEmailProblem(ctx.db, about, problem, done),
  ])
}

function isProblem(fate: EmailFate): fate is EmailProblem {
  return emailProblems.some((problem) => problem === fate)
}
