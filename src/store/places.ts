import { type SQL, sql } from 'drizzle-orm'
import { uuidv7Floor } from '../crypto/random.ts'
import type { Session } from './schema.ts'

type Place = Pick<Session, 'ip' | 'country'>

/** The events looked at for an earlier visit, so that what a sign-in reads does not grow with the account's history. */
const maxEvents = 100

/** What Cloudflare calls a place that is none: unknown, and Tor. */
const nowhere = ['XX', 'T1']

/**
 * Nobody is signed in to the account from this place, nor did anybody sign in from there lately: a country, or the very
 * address when there is no telling the country. When the trail is so full of other events that the earlier visit is out
 * of sight, the place is new again.
 *
 * @param eventId the sign-in in question, which is in the trail already
 */
export function isNewPlace(
  userId: string,
  { ip, country }: Place,
  { now, since, eventId }: { now: Date; since: Date; eventId: string },
): SQL {
  const isKnown = country !== null && !nowhere.includes(country)
  const isHere = (visit: SQL) =>
    isKnown ? sql`(${visit}.ip is ${ip} or ${visit}.country = ${country})` : sql`${visit}.ip is ${ip}`
  return sql`(not exists (select 1 from sessions as present where present.user_id = ${userId}
      and present.expires_at > ${now.getTime()} and ${isHere(sql`present`)})
    and not exists (select 1 from audit_events as past where past.id in (select id from audit_events
        where user_id = ${userId} and id > ${uuidv7Floor(since)} and id <> ${eventId} order by id desc limit ${maxEvents})
      and past.type in ('user.signed_in', 'user.activated') and past.actor_id = ${userId} and ${isHere(sql`past`)}))`
}
