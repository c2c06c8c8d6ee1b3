/** One request to Resend, from its claimed rows to their settlement. The rules are at the top of `delivery.ts`. */
import type { Ctx } from '../../context.ts'
import { doubtMs, retryAfterFailureSeconds } from '../../config/policy.ts'
import { describeError, log } from '../../log.ts'
import { type SendOutcome, sendEmail, sendEmails } from '../../providers/resend.ts'
import type { ClaimedEmail } from '../../store/email-claims.ts'
import type { Claimed, Composed, Offered, Settled } from './claim.ts'
import { composeEmails } from './composition.ts'
import { giveUpAt, judgeOutcome, pauseSeconds, settle, settleAs, skipAt } from './settlement.ts'

/** Seconds after which to try again, by the id of the row. A row without an entry needs no further try. */
export type Retries = Map<string, number>

/** Offers claimed rows in one request, and writes down what became of them. A failure is logged and tried again. */
export async function deliverRequest(
  ctx: Ctx,
  retries: Retries,
  rows: readonly ClaimedEmail[],
  claimedAt: Date,
): Promise<void> {
  const claims = rows.toSorted((a, b) => a.batchPlace - b.batchPlace).map((row): Claimed => ({ row, claimedAt }))
  try {
    await offerAndSettle(ctx, retries, claims, claimedAt)
  } catch (error) {
    giveBack(
      retries,
      rows.map(({ id }) => id),
      error,
    )
  }
}

async function offerAndSettle(ctx: Ctx, retries: Retries, claims: readonly Claimed[], claimedAt: Date): Promise<void> {
  const inDoubtSince = Math.min(...claims.map(({ row }) => row.inDoubtSince.getTime()))
  if (inDoubtSince <= claimedAt.getTime() - doubtMs) return settle(ctx, claims.map(giveUpAt(ctx.now())))
  const isRepetition = inDoubtSince < claimedAt.getTime()
  const results = await composeEmails(ctx, claims)
  const unreadable = results.filter((each) => each.stage === 'unreadable')
  for (const { row, error } of unreadable) giveBack(retries, [row.id], error)
  const laterAt = new Date(ctx.now().getTime() + retryAfterFailureSeconds * 1000)
  const freed = { status: 'queued', batchId: null, inDoubtSince: null, dueAt: laterAt } as const
  await settle(ctx, [
    ...results.filter((each) => each.stage === 'dropped').map(skipAt(ctx.now())),
    ...(isRepetition ? [] : unreadable.map((claim) => settleAs(claim, freed))),
  ])

  const offered = await offer(
    ctx,
    results.filter((each) => each.stage === 'composed'),
  )
  const repeatAfterSeconds = pauseSeconds(Math.min(...offered.map(({ row }) => row.attempts)))
  const answeredAt = ctx.now()
  const settled = offered.map((each) => judgeOutcome(each, answeredAt, repeatAfterSeconds))
  const postponed = settled.filter(({ retrySeconds }) => retrySeconds !== undefined)
  // A row that became unreadable is in no list that is accepted now, so it is free. Otherwise it waits with the others.
  const isAccepted = offered.some(({ outcome }) => outcome.kind === 'accepted' && outcome.providerId !== null)
  const waiting = { status: 'queued', dueAt: postponed[0]?.settlement.dueAt ?? laterAt } as const
  await settle(ctx, [
    ...settled,
    ...(isRepetition ? unreadable.map((claim) => settleAs(claim, isAccepted ? freed : waiting)) : []),
  ])
  for (const { settlement, retrySeconds = 0 } of postponed) retryAfter(retries, [settlement.id], retrySeconds)
  logPostponed(postponed)
}

const unanswered: SendOutcome = { kind: 'in_doubt', reason: 'unreadable_answer', afterSeconds: 0 }

/**
 * Offers composed emails in one request. Here, and nowhere else, answers find their emails by their place in the list.
 */
async function offer({ config, secrets }: Ctx, claims: readonly Composed[]): Promise<Offered[]> {
  const [first] = claims
  if (!first) return []
  const { id, batchId } = first.row
  if (id === batchId) return [{ ...first, outcome: await sendEmail(config, secrets, first.mail, `email/${id}`) }]
  const mails = claims.map(({ mail }) => mail)
  const outcomes = await sendEmails(config, secrets, mails, `batch/${batchId}`)
  return claims.map((claim, place) => ({ ...claim, outcome: outcomes[place] ?? unanswered }))
}

function logPostponed(postponed: readonly Settled[]): void {
  const [first] = postponed
  if (!first) return
  const { id, batchId, lastError, attempts } = first.settlement
  const fields = { batch_id: batchId, emails: postponed.length, reason: lastError, attempts }
  log('warn', 'mail.postponed', { email_id: id, ...fields, seconds: first.retrySeconds })
}

export function retryAfter(retries: Retries, ids: readonly string[], seconds: number): void {
  for (const id of ids) retries.set(id, seconds)
}

/** Logs a failure, and has rows tried again once their claim has lapsed. */
export function giveBack(retries: Retries, ids: readonly string[], error: unknown): void {
  retryAfter(retries, ids, retryAfterFailureSeconds)
  for (const id of ids) log('error', 'mail.delivery_failed', { email_id: id, ...describeError(error) })
}
