/**
 * Events that somebody can cause again and again. From a number in an hour on they are not kept one by one: one of them says
 * in its detail how many it stands for.
 */
import { type SQL, and, ne, sql } from 'drizzle-orm'
import { uuidv7Floor } from '../crypto/random.ts'
import { insertAuditEvent } from './audit.ts'
import type { NewAuditEvent } from './audit-rows.ts'
import { type Place, hasPlace, lastOf, takePlaceOrCount } from './ceilings.ts'
import { type Db, always, idList, idParam } from './db.ts'
import { auditEvents } from './schema/audit.ts'

const counted = {
  detail: sql`json_set(coalesce(${auditEvents.detail}, '{}'), '$.count',
    coalesce(${auditEvents.detail} ->> '$.count', 1) + 1)`,
}

/**
 * Records a refusal. Of those that share the place, the first ones below its ceiling are kept; the last of them counts the
 * others.
 */
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
 * For the end of a batch: takes out the events that it made when their user has had more than `max` in this hour, and counts
 * them in one event of their type for this hour. Until then they guarded the other statements of the batch.
 *
 * @param isKept when all of them stay, whatever the number
 */
export function condenseEvents(db: Db, at: Date, ids: readonly string[], max: number, isKept: SQL = sql`false`) {
  const start = uuidv7Floor(new Date(at.getTime() - (at.getTime() % (60 * 60 * 1000))))
  const isOver = sql`exists (select 1 from audit_events as had
    where had.user_id = audit_events.user_id and had.id >= ${idParam(start)} limit 1 offset ${max})`
  const excess = sql`audit_events.id in ${idList(ids)} and ${isOver} and not ${isKept}`
  // It follows from hour, type and user, so the insert that finds it there counts.
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
