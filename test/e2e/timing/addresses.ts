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

/** `factored` is active, and has a second factor that nobody can show. */
export const kinds = ['unknown', 'pending', 'active', 'factored', 'suspended'] as const
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

/** The keys of the counters that are taken. Unknown addresses can share a slot, and then lock each other. */
const usedKeys = new Set<string>()

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
  const [tokenKey] = parseSecretKeys(readDevVars(join(projectRoot, '.dev.vars'))['TOKEN_KEYS'] ?? '')
  const keys = new Map<string, string>()
  while (keys.size < count) {
    const email = `${randomBytes(12).toString('hex')}@example.com`
    const key = kind === 'unknown' ? `slot:${await addressSlot(email, tokenKey)}` : `account:${email}`
    if (usedKeys.has(key)) continue
    usedKeys.add(key)
    keys.set(email, key)
  }
  const addresses = [...keys.keys()]
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
  const isFactored = kind === 'factored'
  if (kind !== 'unknown') {
    copies('users', () => ({
      status: users.status.mapToDriverValue(isFactored ? 'active' : kind) as number,
      factors_id: isFactored ? bytesOfUuid(uuidv7(new Date())) : null,
    }))
  }
  if (kind === 'pending') copies('registrations', () => ({}))
  const until = Date.now() + 12 * 60 * 60 * 1000
  if (isLocked) {
    const lock = (key: string) => ({ key, count: 20, allowed_at: until, updated_at: Date.now() })
    database.insert('attempt_counters', [...keys.values()].map(lock))
  }
  return addresses
}
