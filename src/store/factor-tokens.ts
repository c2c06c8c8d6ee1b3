/** Single use of factor tokens: the counter of a user's second factors keeps the ids of those that have signed in. */
import { type SQL, and, eq, gt, sql } from 'drizzle-orm'
import { factorTokenSeconds } from '../config/policy.ts'
import { uuidv7Floor } from '../crypto/random.ts'
import { factorBudget, newSeries } from './attempts.ts'
import { type Db, insertWhere } from './db.ts'
import { attemptCounters } from './schema/attempts.ts'

/** More sign-ins than one account has in five minutes. */
const maxRemembered = 16

/**
 * The factor token has not signed in. A token that is older than all of a full list counts as used, because nobody can
 * tell any more. That refuses an unused token only after 16 later ones have signed in.
 */
export function isUnusedFactorToken(userId: string, tokenId: string): SQL {
  const { key, usedTokens } = attemptCounters
  const isKnown = sql`exists (select 1 from json_each(${usedTokens}) as used where used.value = ${tokenId})`
  const isOlder = sql`${tokenId} < ${usedTokens} ->> ${`$[${maxRemembered - 1}]`}`
  return sql`not exists (select 1 from ${attemptCounters}
    where ${and(eq(key, factorBudget(userId)), sql`(${isKnown} or ${isOlder})`)})`
}

/**
 * Starts the budget of second factors anew, after a right one.
 *
 * @param tokenId the factor token that signs in; without one, the user was signed in
 */
export function restartFactorBudget(db: Db, userId: string, now: Date, guard: SQL, tokenId?: string) {
  const { key, count, usedTokens } = attemptCounters
  const anew = newSeries(now)
  if (tokenId === undefined) {
    // A sign-in with a factor leaves a counter that has counted nothing since.
    return db
      .update(attemptCounters)
      .set(anew)
      .where(and(eq(key, factorBudget(userId)), gt(count, 0), guard))
  }
  const since = uuidv7Floor(new Date(now.getTime() - factorTokenSeconds * 1000))
  const newest = sql`(select json_group_array(value) from (
    select ${tokenId} as value union all select value from json_each(${usedTokens}) where value >= ${since}
    order by value desc limit ${maxRemembered}))`
  const row = { ...anew, key: factorBudget(userId), usedTokens: sql`json_array(${tokenId})` }
  return insertWhere(db, attemptCounters, row, guard).onConflictDoUpdate({
    target: key,
    set: { ...anew, usedTokens: newest },
  })
}
