/**
 * The revocation list: one KV entry for each ended session, for as long as its refresh token could live. KV is
 * eventually consistent and caches misses, so an entry only makes access stricter: D1 remains the record that a session
 * has ended.
 */

/** KV accepts no shorter time to live. */
const minTtlSeconds = 60

function keyOf(sessionId: string): string {
  return `session:${sessionId}`
}

export async function isRevoked(kv: KVNamespace, sessionId: string): Promise<boolean> {
  return (await kv.get(keyOf(sessionId))) !== null
}

export async function insertRevocation(kv: KVNamespace, sessionId: string, lifeSeconds: number): Promise<void> {
  await kv.put(keyOf(sessionId), '1', { expirationTtl: Math.max(Math.ceil(lifeSeconds), minTtlSeconds) })
}
