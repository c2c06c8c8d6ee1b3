import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { addressSlot } from '../../../src/crypto/address-slot.ts'
import { parseSecretKeys } from '../../../src/crypto/keys.ts'
import { bytesOfUuid, newUserShard, uuidv7 } from '../../../src/crypto/random.ts'
import { users } from '../../../src/store/schema/users.ts'
import { Api, type Tokens } from '../../../tools/demo/api.ts'
import { Inbox, nextLink } from '../../../tools/demo/inbox.ts'
import { type Person, newPerson } from '../../../tools/demo/person.ts'
import { readDevVars } from '../../../tools/dev/dev-vars.ts'
import { projectRoot } from '../../../tools/wrangler.ts'
import type { LocalDatabase, Row } from '../support/local-database.ts'

export const kinds = ['unknown', 'pending', 'active', 'suspended'] as const
export type Kind = (typeof kinds)[number]

/** Two accounts, whose rows are copied for all others. */
export type Patterns = Record<'active' | 'pending', Person>

/** Registers two accounts and activates one of them. */
export async function signUpPatterns(url: string, mailboxUrl: string): Promise<Patterns> {
  const api = new Api(url)
  const [active, pending] = [newPerson(), newPerson()]
  for (const body of [active, pending]) await api.call('POST', '/auth/register', { body, expect: 202 })
  const { token } = await nextLink(new Inbox(new Api(mailboxUrl), active.email), 'the email', url, '/activate')
  await api.call<Tokens>('POST', '/auth/activate', { body: { token, password: active.password }, expect: 200 })
  return { active, pending }
}

/**
 * Makes unused addresses of one kind. All have the same length and are in random order, so that only the account behind
 * them differs.
 *
 * @param isLocked whether wrong passwords have locked them
 */
export async function makeAddresses(
  database: LocalDatabase,
  patterns: Patterns,
  kind: Kind,
  count: number,
  isLocked: boolean,
): Promise<string[]> {
  const addresses = Array.from({ length: count }, () => `${randomBytes(12).toString('hex')}@example.com`)
  const pattern = patterns[kind === 'pending' ? 'pending' : 'active'].email
  const copies = (table: string, change: (email: string) => Row) => {
    const [row] = database.rows(`select * from ${table} where email = ?`, pattern)
    database.insert(
      table,
      addresses.map((email) => ({
        ...row,
        id: bytesOfUuid(uuidv7(new Date(), newUserShard)),
        email,
        ...change(email),
      })),
    )
  }
  if (kind !== 'unknown') copies('users', () => ({ status: users.status.mapToDriverValue(kind) as number }))
  if (kind === 'pending') copies('registrations', () => ({}))
  const until = Date.now() + 12 * 60 * 60 * 1000
  if (isLocked) {
    const [tokenKey] = parseSecretKeys(readDevVars(join(projectRoot, '.dev.vars'))['TOKEN_KEYS'] ?? '')
    const keyOf = async (email: string) =>
      kind === 'unknown' ? `slot:${await addressSlot(email, tokenKey)}` : `account:${email}`
    const keys = new Set(await Promise.all(addresses.map(keyOf)))
    // Two addresses may share a slot.
    for (const { key } of database.rows<{ key: string }>('select key from attempt_counters')) keys.delete(key)
    const lock = (key: string) => ({ key, count: 20, allowed_at: until, updated_at: Date.now() })
    database.insert('attempt_counters', [...keys].map(lock))
  }
  return addresses
}
