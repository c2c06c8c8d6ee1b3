import { type SQL, and, eq, lt, sql } from 'drizzle-orm'
import { dayMs } from '../durations.ts'
import { batch } from './batch.ts'
import { type Place, takePlace } from './ceilings.ts'
import { auditEvents } from './schema/audit.ts'
import { otherUserAgent, userAgents } from './schema/user-agents.ts'
import { type Db, idParam } from './db.ts'

/** The number of a user agent, looked up at the moment of writing. Null for a request without one. */
export function userAgentNumber(text: string | null): SQL {
  return text === null ? sql`null` : sql`coalesce(${listed(text)}, ${otherUserAgent})`
}

/** Takes a place for a new user agent, unless `max` are listed. One user must not fill the table. */
export function takeUserAgentPlace(db: Db, text: string, place: Place, max: number, guard: SQL) {
  return takePlace(db, place, sql`${listed(text)} is null and ${rowCount} < ${max} and ${guard}`)
}

/**
 * The same as `userAgentNumber` for the event of a sign-in: one that is not listed gets the number under which
 * `listUserAgent` adds it, if it has a place.
 */
export function newUserAgentNumber(text: string | null, isPlaced: SQL): SQL {
  if (text === null) return sql`null`
  const next = sql`(select coalesce(max(id), ${otherUserAgent}) + 1 from user_agents)`
  return sql`coalesce(${listed(text)}, case when ${isPlaced} then ${next} else ${otherUserAgent} end)`
}

/** Adds the user agent of a sign-in, or notes that it is still in use, once a day. Does nothing without the event. */
export function listUserAgent(db: Db, text: string, eventId: string, now: Date) {
  const seen = sql`select user_agent_id, ${text}, ${now.getTime()}, ${rowCount} + 1 from ${auditEvents}
    where id = ${idParam(eventId)} and user_agent_id <> ${otherUserAgent}`
  return db
    .insert(userAgents)
    .select(seen)
    .onConflictDoUpdate({
      target: userAgents.id,
      set: { seenAt: now },
      setWhere: sql`${userAgents.seenAt} <= ${now.getTime() - dayMs}`,
    })
}

/** The text behind a number: `other` for one that is not listed, or no longer. Null stays null. */
export function userAgentText(number: SQL): SQL<string | null> {
  return sql<
    string | null
  >`(case when ${number} is not null then coalesce((select text from user_agents where id = ${number}), 'other') end)`
}

/** A JSON object with the text of a user agent, or without if it is listed. */
export function unlistedUserAgent(text: string): SQL {
  return sql`iif(${listed(text)} is null, json_object('user_agent', ${text}), '{}')`
}

/**
 * Deletes those of old sign-ins, but not the one with the highest number: the next one has to get a number that was
 * never given.
 *
 * @returns how many it deleted
 */
export async function deleteUserAgentsBefore(db: Db, before: Date): Promise<number> {
  const { deleted } = await batch(db, {
    deleted: db.delete(userAgents).where(and(lt(userAgents.seenAt, before), sql`${userAgents.id} < ${newest}`)),
    counted: db
      .update(userAgents)
      .set({ rowCount: sql`(select count(*) from user_agents)` })
      .where(eq(userAgents.id, newest)),
  })
  return deleted.meta.changes
}

const newest = sql`(select max(id) from user_agents)`

const rowCount = sql`coalesce((select row_count from user_agents order by id desc limit 1), 0)`

/** The number of a user agent, null if it is not listed. */
export function listed(text: string | SQL): SQL {
  return sql`(select id from user_agents where text = ${text})`
}
