import { type SQL, sql } from 'drizzle-orm'
import { uuidv7Floor } from '../crypto/random.ts'
import { bytesOfIp } from '../ip-address.ts'
import { idParam } from './db.ts'
import { type AuditEvent, auditCodes, auditEvents } from './schema/audit.ts'

type Place = Pick<AuditEvent, 'ip' | 'country'>

/** How many of the newest events are searched for an earlier visit: a limit on what a sign-in reads. */
const maxEvents = 100

/** Cloudflare's codes that name no country: unknown, and Tor. */
const nowhere = ['XX', 'T1']

/**
 * The account has no session from this place, and no sign-in from there since `since`. A place is a country, or the IP
 * address alone if the country is unknown. A place becomes new again when an earlier visit is no longer among the
 * newest events.
 *
 * @param eventId the sign-in in question, which is in the audit trail already
 */
export function isNewPlace(
  userId: string,
  { ip, country }: Place,
  { now, since, eventId }: { now: Date; since: Date; eventId: string },
): SQL {
  const isKnown = country !== null && !nowhere.includes(country)
  const address = sql.param(bytesOfIp(ip), auditEvents.ip)
  const isHere = (visit: SQL) =>
    isKnown ? sql`(${visit}.ip is ${address} or ${visit}.country = ${country})` : sql`${visit}.ip is ${address}`
  const user = idParam(userId)
  const types = [auditCodes['user.signed_in'], auditCodes['user.activated']]
  return sql`(not exists (select 1 from sessions as present where present.user_id = ${user}
      and present.expires_at > ${now.getTime()} and ${isHere(sql`present`)})
    and not exists (select 1 from audit_events as past where past.id in (select id from audit_events
        where user_id = ${user} and id > ${idParam(uuidv7Floor(since))} and id <> ${idParam(eventId)} order by id desc limit ${maxEvents})
      and past.type in ${types} and past.by_user and ${isHere(sql`past`)}))`
}
