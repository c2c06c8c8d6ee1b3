/**
 * Delivery, up to 100 mails in one request to Resend, and none of them twice.
 *
 * Resend remembers an idempotency key for 24 hours and for the whole request: the same list again is answered with what
 * was answered before, and another list under that key is refused (409). So a key is good for exactly one list, and a
 * mail that may have been accepted with a list must never be offered in another one, nor by itself. Hence:
 *
 * 1. Rows that were never offered are claimed together, in one statement that writes the request's id and each row's
 *    place in it before anything is sent. The key is made from that id, the list follows from the rows.
 * 2. A row stays with its request for as long as that may have been accepted: after a crash, a lost or garbled answer,
 *    a 5xx. Whichever message about it comes next, and with whatever others, the whole request is claimed again (one
 *    statement, so one consumer gets it) and repeated in the same order under the same key. All its rows are put off and
 *    finished in one statement, so they never part; while one of them is not due, none is claimed.
 * 3. The list can only become shorter: what has nothing to say any more drops out (its link was used, so it arrived) and
 *    so does a deleted account. If the first list was accepted, the shorter one is refused with a 409, which says that
 *    all who are still in it were accepted; if not, the shorter one is accepted now. That no mail ever joins a list is
 *    why a row without content, or one that can't be read, is taken out of the request before the first offer.
 * 4. Only a refusal that is certain (429, 401, 403, a 4xx of the whole) of a request that was in no doubt before sets its
 *    rows free to be offered with others.
 * 5. After 23 hours of doubt, before Resend forgets, the rows are marked `unknown` and never sent again.
 *
 * A row that comes alone goes by itself, under a key made from the row.
 */
import type { Ctx } from '../../context.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { describeError, log } from '../../log.ts'
import {
  type OutgoingEmail,
  type SendOutcome,
  maxMailsPerRequest,
  sendEmail,
  sendEmails,
} from '../../providers/resend.ts'
import { orderedBatch } from '../../store/db.ts'
import {
  type ClaimedEmail,
  claimBatch,
  claimFreshEmails,
  claimSingleEmail,
  selectOfferedEmails,
} from '../../store/email-claims.ts'
import { composeEmails } from './composition.ts'
import { pauseSeconds, settle, settlementOf, verdictOn } from './settlement.ts'

/** How long one consumer may take over a request before another may have it. */
const claimMs = 2 * 60_000
/** Resend forgets idempotency keys at 24 hours; after this nothing that may have been accepted is sent again. */
const doubtMs = 23 * 60 * 60_000
/** Longer than a claim, so that the next try can have the row. */
export const retryAfterFailureSeconds = 150
/** No further request is repeated in a run that has taken this long, or a hundred mails: D1 allows it 1,000 statements. */
const maxRunMs = 60_000
const retryAfterRunSeconds = 15

/** Seconds after which to try again, by the id of the row. A row that is not in it needs no further try. */
export type Retries = Map<string, number>

/**
 * Delivers outbox rows, whatever happened to them before. One request that fails does not hold up the others.
 *
 * @throws {AppError} `service_unavailable` when nothing could be claimed
 */
export async function deliverEmails(ctx: Ctx, ids: readonly string[]): Promise<Retries> {
  const retries: Retries = new Map()
  if (ids.length === 0) return retries
  const start = ctx.now()
  const [offered, fresh] = await orderedBatch(ctx.db, [
    selectOfferedEmails(ctx.db, ids),
    claimFreshEmails(ctx.db, ids, uuidv7(start), start, claimMs),
  ])
  await deliverRequest(ctx, retries, fresh, start)
  let taken = fresh.length
  const inOrder = offered.toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))
  for (const [key, rows] of Map.groupBy(inOrder, ({ id, batchId }) => batchId ?? id)) {
    const now = ctx.now()
    const [{ id, status, dueAt }] = rows as [(typeof rows)[0]]
    const isSingle = key === id
    const waitSeconds = Math.ceil((dueAt.getTime() - now.getTime()) / 1000)
    if (taken >= maxMailsPerRequest || now.getTime() - start.getTime() > maxRunMs) {
      for (const row of rows) retries.set(row.id, retryAfterRunSeconds)
    } else if (!isSingle && status === 'queued' && waitSeconds > 0) {
      for (const row of rows) retries.set(row.id, waitSeconds)
    } else {
      // Each request makes statements of its own, besides those for its mails.
      taken += 1 + (await repeatRequest(ctx, retries, key, isSingle ? [id] : rows.map((row) => row.id)))
    }
  }
  return retries
}

/** Repeats a request, if no other consumer is about to; gives how many mails that took. */
async function repeatRequest(ctx: Ctx, retries: Retries, key: string, ids: readonly string[]): Promise<number> {
  const now = ctx.now()
  try {
    const isSingle = ids[0] === key
    const claims = await (isSingle
      ? claimSingleEmail(ctx.db, key, now, claimMs)
      : claimBatch(ctx.db, key, now, claimMs))
    await deliverRequest(ctx, retries, claims, now)
    return claims.length
  } catch (error) {
    giveBack(retries, ids, error)
    return 0
  }
}

async function deliverRequest(
  ctx: Ctx,
  retries: Retries,
  claims: readonly ClaimedEmail[],
  claimedAt: Date,
): Promise<void> {
  if (claims.length === 0) return
  const inOrder = claims.toSorted((a, b) => (a.batchPlace ?? 0) - (b.batchPlace ?? 0))
  try {
    await offer(ctx, retries, inOrder, claimedAt)
  } catch (error) {
    giveBack(
      retries,
      claims.map(({ id }) => id),
      error,
    )
  }
}

async function offer(ctx: Ctx, retries: Retries, claims: readonly ClaimedEmail[], claimedAt: Date): Promise<void> {
  const doubtfulSince = Math.min(...claims.map(({ inDoubtSince }) => (inDoubtSince ?? claimedAt).getTime()))
  const isRepetition = doubtfulSince < claimedAt.getTime()
  if (doubtfulSince <= claimedAt.getTime() - doubtMs) {
    const unknown = { status: 'unknown', lastError: 'in_doubt_too_long', finishedAt: ctx.now() } as const
    await settle(
      ctx,
      claims.map((claim) => settlementOf(claim, unknown)),
    )
    return
  }
  const composed = await composeEmails(
    ctx,
    claims.filter(({ suppressedUserId }) => suppressedUserId === null),
    claimedAt,
  )
  const broken = composed.filter((each) => each.kind === 'broken')
  for (const { claim, error } of broken) giveBack(retries, [claim.id], error)
  const finishedAt = ctx.now()
  const laterAt = new Date(finishedAt.getTime() + retryAfterFailureSeconds * 1000)
  const free = { status: 'queued', batchId: null, inDoubtSince: null, dueAt: laterAt } as const
  await settle(ctx, [
    ...claims.flatMap((claim) => {
      const { suppressedUserId: userId } = claim
      const skipped = { status: 'skipped', userId, lastError: 'recipient_suppressed', finishedAt } as const
      return userId === null ? [] : settlementOf(claim, skipped)
    }),
    ...composed
      .filter((each) => each.kind === 'nothing')
      .map(({ claim, userId }) => settlementOf(claim, { status: 'skipped', userId, finishedAt })),
    ...(isRepetition ? [] : broken.map(({ claim }) => settlementOf(claim, free))),
  ])

  const ready = composed.filter((each) => each.kind === 'mail')
  const mails = ready.map(({ mail }) => mail)
  const outcomes = mails.length > 0 ? await send(ctx, claims[0]!.batchId!, mails) : []
  const repeatAfterSeconds = pauseSeconds(Math.min(...ready.map(({ claim }) => claim.attempts)))
  const verdicts = ready.map(({ claim, userId }, place) =>
    verdictOn(ctx, { claim, outcome: outcomes[place]!, userId, claimedAt, repeatAfterSeconds }),
  )
  // What can't be read any more was in no list that was accepted, if this one is; else it waits along with the others.
  const isAccepted = outcomes.some((outcome) => outcome.kind === 'accepted' && outcome.providerId !== null)
  const dueAt = verdicts.find(({ retrySeconds }) => retrySeconds !== undefined)?.settlement.dueAt ?? laterAt
  const waiting = isRepetition ? broken : []
  await settle(ctx, [
    ...verdicts.map(({ settlement }) => settlement),
    ...waiting.map(({ claim }) => settlementOf(claim, isAccepted ? free : { status: 'queued', dueAt })),
  ])
  const later = verdicts.filter(({ retrySeconds }) => retrySeconds !== undefined)
  for (const { settlement, retrySeconds } of later) retries.set(settlement.id, retrySeconds!)
  const [first] = later
  if (first) {
    const { batchId, lastError, attempts } = first.settlement
    const fields = { batch_id: batchId, emails: later.length, reason: lastError, attempts, seconds: first.retrySeconds }
    log('warn', 'mail.postponed', { email_id: first.settlement.id, ...fields })
  }
}

async function send({ config, secrets }: Ctx, batchId: string, mails: readonly OutgoingEmail[]) {
  const [first] = mails
  const isSingle = first?.id === batchId
  if (!isSingle) return sendEmails(config, secrets, mails, `batch/${batchId}`)
  return [await sendEmail(config, secrets, first, `email/${batchId}`)] satisfies SendOutcome[]
}

function giveBack(retries: Retries, ids: readonly string[], error: unknown): void {
  for (const id of ids) {
    retries.set(id, retryAfterFailureSeconds)
    log('error', 'mail.delivery_failed', { email_id: id, ...describeError(error) })
  }
}
