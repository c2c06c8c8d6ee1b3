/** Which factor tokens have signed in: each does so once. The counter of the budget of second factors remembers them. */
import { type SQL, and, eq, sql } from 'drizzle-orm'
import { factorTokenSeconds } from '../config/policy.ts'
import { uuidv7Floor } from '../crypto/random.ts'
import { type Db, insertWhere } from './db.ts'
import { newSeries } from './attempts.ts'
import { attemptCounters } from './schema/attempts.ts'

/** More sign-ins than one account has in five minutes. */
const maxRemembered = 16

/** The budget that all second factors of a user share. */
export function factorBudget(userId: string): SQL {
  return sql`${`factor:${userId}`}`
}

/**
 * The factor token has not signed in. One that is older than all that are remembered counts as used: ids are in the order
 * of time, so only one of many tokens at once can be wronged by that.
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
  const { key, usedTokens } = attemptCounters
  const anew = newSeries(now)
  if (tokenId === undefined) {
    return db
      .update(attemptCounters)
      .set(anew)
      .where(and(eq(key, factorBudget(userId)), guard))
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
