import type { Ctx } from '../../context.ts'
import { firstPauseSeconds, maxPauseSeconds, maxTries } from '../../config/policy.ts'
import { log } from '../../log.ts'
import type { SendOutcome } from '../../providers/resend.ts'
import { insertAuditEvent } from '../../store/audit.ts'
import { batch } from '../../store/batch.ts'
import { type ClaimedEmail, type Settlement, emailIsClaimed, settleClaims } from '../../store/email-claims.ts'
import { auditEvent } from '../audit/trail.ts'
import type { Claimed, Dropped, Offered, Settled } from './claim.ts'
import { findKind } from './kinds.ts'

/** The pause after a number of tries: doubling, up to an hour. */
export function pauseSeconds(tries: number): number {
  return Math.min(maxPauseSeconds, firstPauseSeconds * 2 ** Math.max(0, tries - 1))
}

/** Settles a claim: its row stays as it is, apart from the changes. */
export function settleAs({ row }: Claimed, changes: Partial<Settlement> & Pick<Settlement, 'status'>): Settled {
  const { id, template, attempts, userId, dueAt, inDoubtSince, batchId, providerId, lastError, finishedAt } = row
  const kept = { id, template, attempts, userId, dueAt, inDoubtSince, batchId, providerId, lastError, finishedAt }
  const forgotten = changes.status === 'queued' ? undefined : findKind(template)?.forgets
  const isOwnerNew = changes.userId !== undefined && changes.userId !== userId
  return { settlement: { ...kept, isOwnerNew, ...changes, ...forgotten } }
}

/** Settles claims that will not be sent. */
export function skipAt(finishedAt: Date) {
  return (dropped: Dropped): Settled => {
    const { userId, lastError } = dropped
    return settleAs(dropped, { status: 'skipped', userId, lastError, finishedAt })
  }
}

/** Settles claims that were in doubt for so long that they cannot be repeated. */
export function giveUpAt(finishedAt: Date) {
  return (claim: Claimed): Settled => settleAs(claim, { status: 'unknown', lastError: 'in_doubt_too_long', finishedAt })
}

/**
 * Decides what an answer of the provider means for a claim.
 *
 * @param now the same for all rows of a request, which must stay due at one moment
 * @param repeatAfterSeconds the pause of the whole request, for when nobody knows whether it was accepted: it is
 *   repeated as a whole
 */
export function judgeOutcome(offered: Offered, now: Date, repeatAfterSeconds: number): Settled {
  const { row, claimedAt, userId, outcome } = offered
  const finished = { userId, finishedAt: now }
  if (outcome.kind === 'accepted') {
    const { providerId } = outcome
    return settleAs(offered, { ...finished, status: 'sent', providerId, inDoubtSince: null, lastError: null })
  }
  const lastError = outcome.reason
  // A refusal is certain about this try, and says nothing about an earlier one that is in doubt.
  const isCertain = outcome.kind !== 'in_doubt' && row.inDoubtSince.getTime() === claimedAt.getTime()
  if (outcome.kind === 'refused' || row.attempts >= maxTries) {
    const end = isCertain ? ({ status: 'failed', inDoubtSince: null } as const) : ({ status: 'unknown' } as const)
    return settleAs(offered, { ...finished, ...end, lastError })
  }
  const afterSeconds = 'afterSeconds' in outcome ? outcome.afterSeconds : 0
  const retrySeconds = Math.max(afterSeconds, isCertain ? pauseSeconds(row.attempts) : repeatAfterSeconds)
  const dueAt = new Date(now.getTime() + retrySeconds * 1000)
  const freed = isCertain ? { inDoubtSince: null, batchId: nextBatchId(row, outcome) } : {}
  return { ...settleAs(offered, { status: 'queued', userId, dueAt, lastError, ...freed }), retrySeconds }
}

/**
 * A request that was certainly not accepted binds none of its emails: they may go with others. After a refusal that
 * does not name the bad email, each goes by itself, which finds it.
 */
function nextBatchId({ id, batchId }: ClaimedEmail, { kind }: SendOutcome): string | null {
  return kind === 'refused_together' || batchId === id ? id : null
}

/** Writes down what became of claims. Giving an email up is an event of the account that it was for. */
export async function settle(ctx: Ctx, settled: readonly Settled[]): Promise<void> {
  if (settled.length === 0) return
  const settlements = settled.map(({ settlement }) => settlement)
  const givenUp = settlements.filter(({ status }) => status === 'failed' || status === 'unknown')
  await batch(ctx.db, {
    events: givenUp.map((settlement) => {
      const { id, template, userId, lastError } = settlement
      const event = auditEvent(ctx, 'email.failed', { userId, detail: { email_id: id, template, reason: lastError } })
      return insertAuditEvent(ctx.db, event, emailIsClaimed(settlement))
    }),
    settled: settleClaims(ctx.db, settlements),
  })
  for (const { id, template, lastError } of givenUp) {
    log('error', 'mail.failed', { email_id: id, template, reason: lastError })
  }
  measureOutcomes(ctx, settlements)
}

/** One point for all emails with the same outcome: an invocation may write only a limited number of points. */
function measureOutcomes(ctx: Ctx, settlements: readonly Settlement[]): void {
  const groups = Map.groupBy(settlements, (each) => `${each.template} ${each.status} ${each.lastError}`)
  for (const group of groups.values()) {
    const { template, status, lastError } = group[0]!
    ctx.measure('mail', { subject: template, outcome: status, reason: lastError, numbers: { emails: group.length } })
  }
}
