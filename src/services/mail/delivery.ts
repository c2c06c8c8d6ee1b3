/**
 * Delivery: up to 100 emails in one request to Resend, and no email is accepted twice.
 *
 * Resend remembers an idempotency key for 24 hours, together with the whole request. The same list of emails under the
 * same key gets the first answer again; a different list under that key is refused with a 409. So a key is good for
 * exactly one list, and an email that may have been accepted in one list must never be offered in another list or
 * alone. Five rules follow:
 *
 * 1. A request is written down before it is sent. Rows that were never offered are claimed in one statement, which
 *    stores the id of the request and the place of each row in it. The key is made from that id, and the list from the
 *    rows.
 * 2. A row stays with its request for as long as the request may have been accepted: after a crash, a lost or
 *    unreadable answer, or a 5xx. Whichever of the rows the queue delivers next, alone or with others, the whole
 *    request is claimed again and repeated in the same order under the same key. That claim is one statement, so only
 *    one consumer gets it. The rows are also postponed, finished and announced to the queue together, so they never
 *    separate; while one of them is not due, none can be claimed.
 * 3. A list may only become shorter. An email leaves it when it has nothing to say any more (its link was used, so it
 *    has arrived; its account was deleted) or its recipient takes no more email. If the longer list was accepted,
 *    Resend refuses the shorter one with a 409, which proves that every email still in it was accepted. Otherwise the
 *    shorter list is accepted now. Nothing ever joins a list, which is why rows without content, and rows that cannot
 *    be read, leave the request before it is offered for the first time.
 * 4. Only a certain refusal (429, 401, 403, or another 4xx of the whole request) lets the rows go into other requests,
 *    and only if the request was not in doubt before.
 * 5. After 23 hours in doubt, before Resend forgets the key, the rows become `unknown` and are never sent again.
 *
 * A row that is claimed alone is sent by itself, under a key made from its own id.
 *
 * No row is claimed before it is due, so a message that the queue delivers twice, or early, costs no try.
 */
import type { Ctx } from '../../context.ts'
import { claimMs, maxRunMs, retryAfterRunSeconds } from '../../config/policy.ts'
import { uuidv7 } from '../../crypto/random.ts'
import { maxMailsPerRequest } from '../../providers/resend.ts'
import { batch } from '../../store/batch.ts'
import {
  type OtherEmail,
  claimBatch,
  claimFreshEmails,
  claimSingleEmail,
  selectOtherEmails,
} from '../../store/email-claims.ts'
import { type Retries, deliverRequest, giveBack, retryAfter } from './request.ts'

/** A request that was offered before, or an email that is not due yet. */
interface OfferedRequest {
  id: string
  emailIds: string[]
  isSingle: boolean
  /** Undefined while a consumer has it. A message that comes too early waits until then, and costs no try. */
  dueAt: Date | undefined
}

/**
 * Delivers outbox rows, whatever happened to them before. A request that fails does not hold up the others.
 *
 * @throws {AppError} `service_unavailable` when nothing could be claimed
 */
export async function deliverEmails(ctx: Ctx, ids: readonly string[]): Promise<Retries> {
  const retries: Retries = new Map()
  if (ids.length === 0) return retries
  const start = ctx.now()
  const { others, fresh } = await batch(ctx.db, {
    others: selectOtherEmails(ctx.db, ids, start),
    fresh: claimFreshEmails(ctx.db, ids, uuidv7(start), start, claimMs),
  })
  await deliverRequest(ctx, retries, fresh, start)
  let taken = fresh.length
  for (const request of groupByRequest(others, ids)) {
    const now = ctx.now().getTime()
    const waitSeconds = Math.ceil(((request.dueAt?.getTime() ?? now) - now) / 1000)
    if (taken >= maxMailsPerRequest || now - start.getTime() > maxRunMs) {
      retryAfter(retries, request.emailIds, retryAfterRunSeconds)
    } else if (waitSeconds > 0) {
      retryAfter(retries, request.emailIds, waitSeconds)
    } else {
      // A request makes statements of its own, besides those for its emails.
      taken += 1 + (await repeatRequest(ctx, retries, request))
    }
  }
  return retries
}

/** The requests that rows were offered in, in the order of the queue's messages. */
function groupByRequest(rows: readonly OtherEmail[], ids: readonly string[]): OfferedRequest[] {
  const inOrder = rows.toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))
  const groups = Map.groupBy(inOrder, ({ id, batchId }) => batchId ?? id)
  return Array.from(groups, ([id, members]) => {
    const [first] = members
    const isSingle = first?.id === id
    const dueAt = first?.status === 'queued' ? first.dueAt : undefined
    return { id, emailIds: isSingle ? [id] : members.map((row) => row.id), isSingle, dueAt }
  })
}

/** Repeats a request, unless another consumer has it. Returns how many emails that took. */
async function repeatRequest(ctx: Ctx, retries: Retries, { id, emailIds, isSingle }: OfferedRequest): Promise<number> {
  const now = ctx.now()
  try {
    const rows = await (isSingle
      ? claimSingleEmail(ctx.db, id, now, claimMs)
      : claimBatch(ctx.db, id, emailIds[0]!, now, claimMs))
    await deliverRequest(ctx, retries, rows, now)
    return rows.length
  } catch (error) {
    giveBack(retries, emailIds, error)
    return 0
  }
}
