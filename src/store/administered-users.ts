/** Users as administrators see them: with the kinds of their second factors, and nothing else about those. */
import { eq, getTableColumns, sql } from 'drizzle-orm'
import type { Db } from './db.ts'
import type { FactorKind } from './schema/emails.ts'
import { type User, users } from './schema/users.ts'

export interface AdministeredUser extends User {
  factors: FactorKind[]
}

const has = (table: 'passkeys' | 'totps') => sql.raw(`exists (select 1 from ${table} where user_id = users.id)`)

/** One bit for each kind. A user without factors costs no look at their tables. */
const factors = sql<
  FactorKind[]
>`case when users.factors_id is null then 0 else ${has('passkeys')} + 2 * ${has('totps')} end`
  .mapWith((bits: number) => [...(bits & 1 ? ['passkey'] : []), ...(bits & 2 ? ['totp'] : [])] as FactorKind[])
  .as('factors')

export const administeredColumns = { ...getTableColumns(users), factors }

/** A user, for a batch. */
export function selectAdministeredUser(db: Db, id: string) {
  return db.select(administeredColumns).from(users).where(eq(users.id, id))
}
