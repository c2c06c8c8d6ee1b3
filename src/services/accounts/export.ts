/** A copy of everything that is kept about a user, for that user (GDPR Art. 15 and 20). */
import type { Ctx } from '../../context.ts'
import { invalidToken } from '../../errors.ts'
import { happened, insertAuditEvent, newestAuditEvents } from '../../store/audit.ts'
import { eventOf } from '../../store/audit-rows.ts'
import { batch } from '../../store/batch.ts'
import { hasPlace, takePlace } from '../../store/ceilings.ts'
import { listEmails, selectEmails } from '../../store/email-list.ts'
import { selectEmailChanges } from '../../store/email-changes.ts'
import { insertEmail } from '../../store/emails.ts'
import { factorsIn, selectFactors } from '../../store/factors.ts'
import { selectAttemptsOf, selectLinksOf } from '../../store/own-data.ts'
import { type Page, pageOf } from '../../store/page.ts'
import { isFresh, selectStale } from '../../store/session-strength.ts'
import { listSessionsOf, selectSignedInUser } from '../../store/sessions.ts'
import { activityPageOf, listActivity } from '../audit/activity.ts'
import { auditEvent } from '../audit/trail.ts'
import { announceStored, newEmail } from '../mail/outbox.ts'
import { aboveCeiling, exportPlace } from '../protection/ceilings.ts'
import type { Principal } from '../sessions/signed-in.ts'
import { assertFresh, explainStale } from '../sessions/strength.ts'

export type Export = Awaited<ReturnType<typeof beginExport>>

/** Rows that D1 reads at a time, so that none of its answers is large. */
const pageSize = 100

/**
 * Permits a copy, tells the owner by email, and reads what is bounded, as it is at this moment. Emails and activity may
 * be long, so their first pages come along, and the others are read one by one afterwards.
 *
 * @throws {AppError} `insufficient_user_authentication`; `rate_limited` for the second copy of a day; `invalid_token`
 *   when the session ended meanwhile
 */
export async function beginExport(ctx: Ctx, principal: Principal) {
  const { user, session } = principal
  const event = auditEvent(ctx, 'user.exported', { actorId: user.id, userId: user.id })
  const { at } = event
  assertFresh(principal, at)
  const notice = newEmail(ctx, 'export_made', user.email, user.id)
  const place = exportPlace(ctx, user.id, event.id)
  const factors = selectFactors(ctx.db, user.id)
  const rows = await batch(
    ctx.db,
    {
      place: takePlace(ctx.db, place, isFresh(session.id, user.id, at)),
      decided: insertAuditEvent(ctx.db, event, hasPlace(place)),
      notice: insertEmail(ctx.db, notice, happened(event.id)),
      acting: selectSignedInUser(ctx.db, session.id, user.id, at),
      stale: selectStale(ctx.db, session.id, user.id, at),
      // Also sessions that have expired, until they are deleted.
      sessions: listSessionsOf(ctx.db, user.id, new Date(0)),
      links: selectLinksOf(ctx.db, user.id),
      changes: selectEmailChanges(ctx.db, [user.id]),
      attempts: selectAttemptsOf(ctx.db, user),
      emails: selectEmails(ctx.db, { userId: user.id }, pageSize + 1),
      activity: newestAuditEvents(ctx.db, { userId: user.id }, pageSize + 1),
    },
    factors,
  )
  const [current] = rows.acting
  if (!current) throw invalidToken('ended_meanwhile')
  if (rows.decided.length === 0) {
    explainStale(rows.stale)
    throw aboveCeiling(ctx, 'user_ceiling')
  }
  announceStored(ctx, rows.notice)
  const { sessions, links, attempts } = rows
  const { passwordHash: _, ...own } = current
  return {
    at,
    user: own,
    sessionId: session.id,
    sessions,
    links,
    attempts,
    change: rows.changes[0],
    factors: factorsIn(rows),
    emails: readOn(
      pageOf(rows.emails, pageSize, ({ id }) => id),
      (before) => listEmails(ctx.db, { userId: user.id, before }, pageSize),
    ),
    activity: readOn(activityPageOf(user.id, rows.activity.map(eventOf), pageSize), (before) =>
      listActivity(ctx, user.id, before, pageSize),
    ),
  }
}

/** The pages, newest first, each read when it is taken. */
async function* readOn<Item>(
  first: Page<Item>,
  read: (before: string) => Promise<Page<Item>>,
): AsyncGenerator<readonly Item[]> {
  let page = first
  yield page.items
  while (page.next !== null) {
    page = await read(page.next)
    yield page.items
  }
}
