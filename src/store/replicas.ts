/**
 * Connections to a database that has read replicas: the only place that knows D1's Sessions API. A bookmark names a
 * state of the database, in the order of all writes. A session that starts from one reads no older state.
 */
import { type Asked, type Db, type Tally, connect } from './db.ts'
import type { Pacing } from './retry.ts'

/** D1's bookmarks have 60 characters. A longer one is not for a token that clients send with every call. */
const maxBookmarkLength = 120

export interface Replicas {
  primary: Db
  /** The state after the last batch of `primary`; `undefined` before the first one. */
  newestBookmark: () => string | undefined
  /** Reads near the caller. What it reads is no older than the bookmark, and may be older than the newest state. */
  nearby: (bookmark: string) => Db
}

/** Connects to a database and to its replicas, as `connect` does. */
export function connectReplicas(binding: D1Database, pacing?: Pacing, tally?: Tally): Replicas {
  let newest: string | null = null
  const primary: Asked = {
    prepare: (query) => binding.prepare(query),
    async batch(statements) {
      // Only the first question of a session is sure to go to the primary, so each batch has a session of its own.
      const session = binding.withSession('first-primary')
      const answer = await session.batch<never>(statements)
      newest = session.getBookmark()
      return answer
    },
  }
  return {
    primary: connect(binding, pacing, tally, primary),
    newestBookmark: () => (newest !== null && newest.length <= maxBookmarkLength ? newest : undefined),
    nearby: (bookmark) => connect(binding, pacing, tally, binding.withSession(bookmark)),
  }
}
