import type { Ctx } from '../../context.ts'
import { log } from '../../log.ts'
import type { SendOutcome } from '../../providers/resend.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { batchAll } from '../../store/db.ts'
import { type ClaimedEmail, type Settlement, emailIsClaimed, settleClaims } from '../../store/email-claims.ts'
import { auditEvent } from '../audit/trail.ts'

/** With the back-off below, about a day. */
export const maxAttempts = 30
const firstPauseSeconds = 15
const maxPauseSeconds = 3600

/** Seconds before try number `attempts` + 1: doubling, up to an hour. */
export function pauseSeconds(attempts: number): number {
  return Math.min(maxPauseSeconds, firstPauseSeconds * 2 ** Math.max(0, attempts - 1))
}

/** A claim as it is, but for some of it. */
export function settlementOf(
  claim: ClaimedEmail,
  changes: Partial<Settlement> & Pick<Settlement, 'status'>,
): Settlement {
  const { id, template, attempts, recipient, userId, dueAt, inDoubtSince, batchId, providerId } = claim
  const { lastError, finishedAt } = claim
  const kept = { id, template, attempts, recipient, userId, dueAt, inDoubtSince, batchId, providerId }
  const isOver = changes.status !== 'queued'
  return { ...kept, lastError, finishedAt, ...changes, ...(isOver && forgottenWith(template)) }
}

/** The farewell is the last thing that knows the address of a deleted account. */
export function forgottenWith(template: string): { recipient?: '' } {
  return template === 'account_deleted' ? { recipient: '' } : {}
}

/** What an answer of the provider means for a claim. */
export interface Answered {
  claim: ClaimedEmail
  outcome: SendOutcome
  /** The account that the mail turned out to be about. */
  userId: string | null
  claimedAt: Date
  /** When nobody knows whether the request was accepted, all of it is repeated together. */
  repeatAfterSeconds: number
}

/** What to write down, and after how many seconds to try again if at all. */
export interface Verdict {
  settlement: Settlement
  retrySeconds?: number
}

export function verdictOn(ctx: Ctx, { claim, outcome, userId, claimedAt, repeatAfterSeconds }: Answered): Verdict {
  const finished = { userId, finishedAt: ctx.now() }
  if (outcome.kind === 'accepted') {
    const { providerId } = outcome
    const sent = { ...finished, status: 'sent', providerId, inDoubtSince: null, lastError: null } as const
    return { settlement: settlementOf(claim, sent) }
  }
  const lastError = outcome.reason
  // A refusal settles this attempt, but no earlier one that nobody knows about.
  const isSettled = outcome.kind !== 'in_doubt' && claim.inDoubtSince?.getTime() === claimedAt.getTime()
  if (outcome.kind === 'refused' || claim.attempts >= maxAttempts) {
    const end = isSettled ? ({ status: 'failed', inDoubtSince: null } as const) : ({ status: 'unknown' } as const)
    return { settlement: settlementOf(claim, { ...finished, ...end, lastError }) }
  }
  const afterSeconds = 'afterSeconds' in outcome ? outcome.afterSeconds : 0
  const ownSeconds = isSettled ? pauseSeconds(claim.attempts) : repeatAfterSeconds
  const retrySeconds = Math.max(afterSeconds, ownSeconds)
  const dueAt = new Date(ctx.now().getTime() + retrySeconds * 1000)
  const settled = isSettled ? { inDoubtSince: null, batchId: nextBatchId(claim, outcome) } : {}
  return { settlement: settlementOf(claim, { status: 'queued', userId, dueAt, lastError, ...settled }), retrySeconds }
}

/** A request that was certainly not accepted binds nobody: its mails may go with others, or each by itself to find the bad one. */
function nextBatchId({ id, batchId }: ClaimedEmail, { kind }: SendOutcome): string | null {
  return kind === 'refused_together' || batchId === id ? id : null
}

/** Writes down what became of claims. Giving one up is an event of the account it was for. */
export async function settle(ctx: Ctx, settlements: readonly Settlement[]): Promise<void> {
  if (settlements.length === 0) return
  const givenUp = settlements.filter(({ status }) => status === 'failed' || status === 'unknown')
  const events = givenUp.map((settlement) => {
    const { id, template, userId, lastError } = settlement
    const event = auditEvent(ctx, 'email.failed', { userId, detail: { email_id: id, template, reason: lastError } })
    return insertAuditEvent(ctx.db, event, emailIsClaimed(settlement))
  })
  await batchAll(ctx.db, [...events, settleClaims(ctx.db, settlements)])
  for (const { id, template, lastError } of givenUp) {
    log('error', 'mail.failed', { email_id: id, template, reason: lastError })
  }
}
