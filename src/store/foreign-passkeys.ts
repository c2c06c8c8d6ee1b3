import { type SQL, sql } from 'drizzle-orm'
import type { Db } from './db.ts'

/** Whether there are passkeys of another RP ID. No browser offers them here: their owners cannot sign in with them. */
export function foreignPasskeys(rpId: string): SQL<number> {
  return sql`(exists (select 1 from passkeys where rp_id < ${rpId}) or exists (select 1 from passkeys where rp_id > ${rpId}))`
}

/** Reads two entries of an index at most. */
export async function hasForeignPasskeys(db: Db, rpId: string): Promise<boolean> {
  const { results } = await db.run<{ found: number }>(sql`select ${foreignPasskeys(rpId)} as found`)
  return results[0]?.found === 1
}
