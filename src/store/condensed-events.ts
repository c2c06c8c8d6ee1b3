/**
 * Events that somebody can cause again and again. Above a number they are not kept one by one: one of them says in its
 * detail how many it stands for.
 */
import { type SQL, and, ne, sql } from 'drizzle-orm'
import { uuidv7Floor } from '../crypto/random.ts'
import { dayMs, hourMs } from '../durations.ts'
import { insertAuditEvent } from './audit.ts'
import type { NewAuditEvent } from './audit-rows.ts'
import { type Place, hasPlace, lastOf, takePlaceOrCount } from './ceilings.ts'
import { type Db, always, idList, idParam } from './db.ts'
import { type AuditEvent, type AuditType, auditEvents } from './schema/audit.ts'

/**
 * What `condenseEvents` may count. No other event is ever left out, so nobody hides a new password or a suspension
 * behind noise. A theft ends its session, so only somebody who can sign in can cause many: a thief of tokens hides
 * none.
 */
const condensed: ReadonlySet<AuditType> = new Set<AuditType>([
  'user.signed_in',
  'user.stepped_up',
  'user.profile_updated',
  'session.ended',
  'session.refresh_repeated',
  'session.reuse_detected',
])

const counted = {
  detail: sql`json_set(coalesce(${auditEvents.detail}, '{}'), '$.count',
    coalesce(${auditEvents.detail} ->> '$.count', 1) + 1)`,
}

/** Records a refusal. Of those that share the place, the first one is kept. It counts the others. */
export function recordRefusal(db: Db, event: NewAuditEvent, place: Place) {
  return {
    place: takePlaceOrCount(db, place, always),
    recorded: insertAuditEvent(db, event, hasPlace(place)),
    counted: db
      .update(auditEvents)
      .set(counted)
      .where(and(sql`${auditEvents.id} = ${lastOf(place)}`, ne(auditEvents.id, event.id))),
  }
}

/**
 * The last statements of a batch. If the user has had too many events of a type, they delete the event that the batch
 * has made, and count it in one event of this type for this hour. It cannot be left out from the start, because the
 * other statements of the batch depend on it.
 *
 * @param max how many of a type are kept
 * @param isKept when all of them stay, whatever the number
 */
export function condenseEvents(
  db: Db,
  at: Date,
  events: readonly Pick<NewAuditEvent, 'id' | 'type'>[],
  max: { hour: number; day: number },
  isKept: SQL = sql`false`,
) {
  const ids = events.filter(({ type }) => condensed.has(type)).map(({ id }) => id)
  const of = { id: sql`audit_events.id`, userId: sql`audit_events.user_id`, type: sql`audit_events.type` }
  const start = startId(at, hourMs)
  const isOver = sql`(${hasOthers(of, start, max.hour)} or ${hasOthers(of, startId(at, dayMs), max.day)})`
  const excess = sql`audit_events.id in ${idList(ids)} and ${isOver} and not ${isKept}`
  // Hour, type and user determine the id, so a second insert conflicts with the first one and adds to its count.
  const id = sql`unhex(${start.replaceAll('-', '').slice(0, 13)} || printf('%03x', type) || substr(hex(user_id), 17))`
  return {
    condensed: db
      .insert(auditEvents)
      .select(
        sql`select ${id}, type, user_id, by_user, actor_id, null, ip, country, user_agent_id, null, null
          from audit_events where ${excess}`,
      )
      .onConflictDoUpdate({ target: auditEvents.id, set: counted }),
    dropped: db.delete(auditEvents).where(excess),
  }
}

/** The user has had at least `max` other events of this type on this day. */
export function hasManyOthers({ id, at, type, userId }: AuditEvent, max: number): SQL {
  // The same statement with and without a user.
  const of = {
    id: idParam(id),
    userId: userId === null ? sql`${null}` : idParam(userId),
    type: sql`${sql.param(type, auditEvents.type)}`,
  }
  return hasOthers(of, startId(at, dayMs), max)
}

function hasOthers({ id, userId, type }: Record<'id' | 'userId' | 'type', SQL>, start: string, max: number): SQL {
  return sql`exists (select 1 from audit_events as had where had.user_id = ${userId} and had.id >= ${idParam(start)}
    and had.id <> ${id} and +had.type = ${type} limit 1 offset ${max - 1})`
}

/** Where the ids of this hour or day begin. */
function startId(at: Date, ms: number): string {
  return uuidv7Floor(new Date(at.getTime() - (at.getTime() % ms)))
}
