/**
 * The repetition of a rotation: a refresh token that was used last and is presented again. A client does that when an
 * answer was lost, a thief to follow the rotations of a session. Each condition is about the presented token and the
 * row of its session at the moment of the statement.
 */
import { type SQL, and, eq, gt, lte, ne, not, or, sql } from 'drizzle-orm'
import { ipInDetail } from './audit-rows.ts'
import { type Db, choose } from './db.ts'
import { type Terms, type Values, prepared, termsOf } from './prepared.ts'
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

const columns = {
  id: sessions.id,
  generation: sessions.generation,
  network: sessions.network,
  userAgentDigest: sessions.userAgentDigest,
  /** A rotation before this may not be repeated. */
  replayStart: sessions.lastUsedAt,
  /** A repetition before this does not count. */
  periodStart: sessions.lastRepeatAt,
}
type PresentedTerms = Terms<typeof columns>

function valuesOf({ id, generation, now, from, replayMs, periodMs }: Presented): Values<typeof columns> {
  const { network, userAgentDigest } = from
  const before = (ms: number) => new Date(now.getTime() - ms)
  return { id, generation, network, userAgentDigest, replayStart: before(replayMs), periodStart: before(periodMs) }
}

/** The session of a presented token, and whether the token gets its successor again. For a batch. */
export function selectPresentedSession(db: Db, presented: Presented) {
  return presentedSession(db, valuesOf(presented))
}

const presentedSession = prepared(columns, (db, presented) => {
  const isServed = sql<number>`(${isCountedHere(presented)})`.as('is_served')
  return db.select({ session: sessions, isServed }).from(sessions).where(eq(sessions.id, presented.id))
})

/** Counts the rotation as repeated from the network that rotated, unless it is counted or too many are. */
export function countRepetition(db: Db, presented: Presented) {
  const terms = termsOf(columns, valuesOf(presented))
  return db
    .update(sessions)
    .set({
      repeatedGeneration: presented.generation + 1,
      lastRepeatAt: presented.now,
      secondRepeatAt: sql`${sessions.lastRepeatAt}`,
      thirdRepeatAt: sql`${sessions.secondRepeatAt}`,
    })
    .where(and(isRepeatable(terms), isSame(terms), not(isCounted), isBelowLimit(terms)))
}

/**
 * The token may be repeated from a network that is not the one of the rotation: once in a period. Not a token from
 * before a change of the password: whoever stole it would go on following the session.
 */
export function mayStray(presented: Presented): SQL {
  const terms = termsOf(columns, valuesOf(presented))
  const isFirst = sql`coalesce(${sessions.strayedAt} <= ${terms.periodStart}, true)`
  const mayCount = or(isCounted, isBelowLimit(terms))
  const condition = and(isRepeatable(terms), not(isFromBeforeChange(terms)), not(isSame(terms)), isFirst, mayCount)
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
 * The presented token is an old one that is neither served nor closed: a sign of theft. It is no sign of theft when a
 * tab of the client refreshes while another one changes the password, which ends the repetition.
 */
export function isStolen(presented: Presented): SQL {
  const terms = termsOf(columns, valuesOf(presented))
  const { id, generation } = terms
  const isOld = and(eq(sessions.id, id), gt(sessions.generation, generation), isOpen(generation))
  const isInFlight = and(isLastUsed(terms), isSettled, isSame(terms))
  return sql`exists (select 1 from ${sessions} where ${isOld} and not ${isCountedHere(terms)} and not (${isInFlight}))`
}

/** What the event is about, and its detail: where the rotation came from, beside the origin of the repetition. */
export function describeRepetition({ id }: Presented) {
  return aboutSession(id)
}

/** The same, with the reason why the token is not served. */
export function describeTheft(presented: Presented) {
  const terms = termsOf(columns, valuesOf(presented))
  return aboutSession(
    presented.id,
    sql`, 'reason', case
      when ${ne(sessions.generation, following(terms))} then 'superseded'
      when ${lte(sessions.lastUsedAt, terms.replayStart)} then 'late'
      when not ${isSameAgent(terms)} then 'user_agent'
      when ${isSettled} then 'password_changed'
      when ${isFromBeforeChange(terms)} and not ${isSame(terms)} then 'password_changed'
      when not ${isCounted} and not ${isBelowLimit(terms)} then 'repetitions'
      else 'network' end`,
  )
}

function aboutSession(id: string, more: SQL = sql``) {
  const detail = sql`(select json_object('rotated_ip', ${ipInDetail(sql`${sessions.ip}`)}, 'rotated_country', ${sessions.country}${more}) from ${sessions} where ${eq(sessions.id, id)})`
  return { subjectId: idOfSession(id), detail }
}

function isRepeatable(presented: PresentedTerms): SQL {
  return sql`(${isLastUsed(presented)} and not ${isSettled})`
}

/**
 * The token is the one used last, by the same user agent, and its time is not over. A missing user agent equals only
 * none.
 */
function isLastUsed(presented: PresentedTerms): SQL {
  return sql`(${and(
    eq(sessions.id, presented.id),
    eq(sessions.generation, following(presented)),
    isOpen(presented.generation),
    gt(sessions.lastUsedAt, presented.replayStart),
    isSameAgent(presented),
  )})`
}

/** The generation of the successor. */
function following({ generation }: PresentedTerms): SQL {
  return sql`${generation} + 1`
}

/** The password was changed while this token, or a newer one, was the newest. */
function isFromBeforeChange({ generation }: PresentedTerms): SQL {
  return sql`(coalesce(${sessions.settledGeneration}, 0) >= ${generation})`
}

/** The password was changed since the rotation. */
const isSettled: SQL = sql`(${sessions.settledGeneration} is ${sessions.generation})`

/**
 * The repetition is counted, and comes from the network that rotated or from the other one that is on record for it.
 */
function isCountedHere(presented: PresentedTerms): SQL {
  const isRecorded = sql`${sessions.strayedGeneration} = ${sessions.generation} and ${sessions.strayedNetwork} is ${presented.network}`
  return sql`(${and(isRepeatable(presented), isCounted, sql`(${isSame(presented)} or (${isRecorded}))`)})`
}

function isSame({ network }: PresentedTerms): SQL {
  return sql`(${sessions.network} is ${network})`
}

function isSameAgent({ userAgentDigest }: PresentedTerms): SQL {
  return sql`(${sessions.userAgentDigest} is ${userAgentDigest})`
}

const isCounted: SQL = sql`(${sessions.repeatedGeneration} is ${sessions.generation})`

/** At most two of the last three repetitions are in this period. */
function isBelowLimit({ periodStart }: PresentedTerms): SQL {
  return sql`(coalesce(${sessions.thirdRepeatAt} <= ${periodStart}, true))`
}
