/**
 * The repetition of a rotation: a refresh token that was used last and is presented again. A client does that when an
 * answer was lost, a thief to follow the rotations of a session. Each condition is about the presented token and the row
 * of its session at the moment of the statement.
 */
import { type SQL, and, eq, gt, ne, not, or, sql } from 'drizzle-orm'
import { ipInDetail } from './audit-rows.ts'
import { type Db, choose } from './db.ts'
import { type SessionOrigin, isOpen } from './rotation.ts'
import { sessions } from './schema/sessions.ts'
import { idOfSession } from './sessions.ts'

export interface Presented {
  /** The session and the generation of the presented token. */
  id: string
  generation: number
  now: Date
  from: Pick<SessionOrigin, 'network' | 'userAgentDigest'>
  /** How long after its rotation a token may be presented again. */
  replayMs: number
  /** How long a repetition counts. */
  periodMs: number
}

/** The session of a presented token, and whether the token gets its successor again. For a batch. */
export function selectPresentedSession(db: Db, presented: Presented) {
  const isServed = sql<number>`(${isCountedHere(presented)})`.as('is_served')
  return db.select({ session: sessions, isServed }).from(sessions).where(eq(sessions.id, presented.id))
}

/** Counts the rotation as repeated from the network that rotated, unless it is counted or too many are. */
export function countRepetition(db: Db, presented: Presented) {
  return db
    .update(sessions)
    .set({
      repeatedGeneration: presented.generation + 1,
      lastRepeatAt: presented.now,
      secondRepeatAt: sql`${sessions.lastRepeatAt}`,
      thirdRepeatAt: sql`${sessions.secondRepeatAt}`,
    })
    .where(and(isRepeatable(presented), isSame(presented), not(isCounted), isBelowLimit(presented)))
}

/**
 * The token may be repeated from a network that is not the one of the rotation: once in a period. Not a token from before a
 * change of the password: whoever stole it would go on following the session.
 */
export function mayStray(presented: Presented): SQL {
  const isFirst = sql`coalesce(${sessions.strayedAt} <= ${startOf(presented)}, true)`
  const mayCount = or(isCounted, isBelowLimit(presented))
  const condition = and(
    isRepeatable(presented),
    not(isFromBeforeChange(presented)),
    not(isSame(presented)),
    isFirst,
    mayCount,
  )
  return sql`exists (select 1 from ${sessions} where ${condition})`
}

/** Notes the repetition from another network, and counts it unless the rotation is counted. */
export function recordStray(db: Db, presented: Presented, guard: SQL) {
  const { id, generation, now, from } = presented
  const { lastRepeatAt, secondRepeatAt, thirdRepeatAt } = sessions
  return db
    .update(sessions)
    .set({
      repeatedGeneration: generation + 1,
      lastRepeatAt: choose(isCounted, sql`${lastRepeatAt}`, sql`${now.getTime()}`),
      secondRepeatAt: choose(isCounted, sql`${secondRepeatAt}`, sql`${lastRepeatAt}`),
      thirdRepeatAt: choose(isCounted, sql`${thirdRepeatAt}`, sql`${secondRepeatAt}`),
      strayedAt: now,
      strayedGeneration: generation + 1,
      strayedNetwork: from.network,
    })
    .where(and(eq(sessions.id, id), guard))
}

/**
 * The presented token is an old one that is neither served nor closed: a sign of theft. It is none where a tab of the
 * client refreshes while another one changes the password, which ends the repetition.
 */
export function isStolen(presented: Presented): SQL {
  const { id, generation } = presented
  const isOld = and(eq(sessions.id, id), gt(sessions.generation, generation), isOpen(generation))
  const isInFlight = and(isLastUsed(presented), isSettled, isSame(presented))
  return sql`exists (select 1 from ${sessions} where ${isOld} and not ${isCountedHere(presented)} and not (${isInFlight}))`
}

/** What the event is about, and its detail: where the rotation came from, beside the origin of the repetition. */
export function describeRepetition({ id }: Presented) {
  return aboutSession(id)
}

/** The same, with the reason why the token is not served. */
export function describeTheft(presented: Presented) {
  const { id, generation, now, from, replayMs } = presented
  return aboutSession(
    id,
    sql`, 'reason', case
      when ${ne(sessions.generation, generation + 1)} then 'superseded'
      when ${sessions.lastUsedAt} <= ${now.getTime() - replayMs} then 'late'
      when not ${isSameAgent(from)} then 'user_agent'
      when ${isSettled} then 'password_changed'
      when ${isFromBeforeChange(presented)} and not ${isSame(presented)} then 'password_changed'
      when not ${isCounted} and not ${isBelowLimit(presented)} then 'repetitions'
      else 'network' end`,
  )
}

function aboutSession(id: string, more: SQL = sql``) {
  const detail = sql`(select json_object('rotated_ip', ${ipInDetail(sql`${sessions.ip}`)}, 'rotated_country', ${sessions.country}${more}) from ${sessions} where ${eq(sessions.id, id)})`
  return { subjectId: idOfSession(id), detail }
}

function isRepeatable(presented: Presented): SQL {
  return sql`(${isLastUsed(presented)} and not ${isSettled})`
}

/** The token is the one used last, by the same user agent, and its time is not over. A missing user agent equals only none. */
function isLastUsed({ id, generation, now, from, replayMs }: Presented): SQL {
  return sql`(${and(
    eq(sessions.id, id),
    eq(sessions.generation, generation + 1),
    isOpen(generation),
    sql`${sessions.lastUsedAt} > ${now.getTime() - replayMs}`,
    isSameAgent(from),
  )})`
}

/** The password was changed while this token, or a newer one, was the newest. */
function isFromBeforeChange({ generation }: Presented): SQL {
  return sql`(coalesce(${sessions.settledGeneration}, 0) >= ${generation})`
}

/** The password was changed since the rotation. */
const isSettled: SQL = sql`(${sessions.settledGeneration} is ${sessions.generation})`

/** The repetition is counted, and comes from the network that rotated or from the other one that is on record for it. */
function isCountedHere(presented: Presented): SQL {
  const { network } = presented.from
  const isRecorded = sql`${sessions.strayedGeneration} = ${sessions.generation} and ${sessions.strayedNetwork} is ${sql.param(network, sessions.network)}`
  return sql`(${and(isRepeatable(presented), isCounted, sql`(${isSame(presented)} or (${isRecorded}))`)})`
}

function isSame({ from }: Presented): SQL {
  return sql`(${sessions.network} is ${sql.param(from.network, sessions.network)})`
}

function isSameAgent({ userAgentDigest }: Presented['from']): SQL {
  return sql`(${sessions.userAgentDigest} is ${sql.param(userAgentDigest, sessions.userAgentDigest)})`
}

const isCounted: SQL = sql`(${sessions.repeatedGeneration} is ${sessions.generation})`

/** At most two of the last three repetitions are in this period. */
function isBelowLimit(presented: Presented): SQL {
  return sql`(coalesce(${sessions.thirdRepeatAt} <= ${startOf(presented)}, true))`
}

function startOf({ now, periodMs }: Presented): number {
  return now.getTime() - periodMs
}
