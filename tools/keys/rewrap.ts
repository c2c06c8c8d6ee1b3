/**
 * Brings what an older key of `DATA_KEYS` has sealed or bound under the active one, so that the older one can be
 * retired.
 */
import { openData, sealData } from '../../src/crypto/data-keys.ts'
import type { KeyRing, SecretKey } from '../../src/crypto/keys.ts'
import { bindPasskey, isBoundPasskey } from '../../src/crypto/passkey-binding.ts'
import { uuidOfBytes } from '../../src/crypto/random.ts'
import type { Query, Row } from '../query.ts'
import { isUnder } from './uses.ts'

type Ring = KeyRing<SecretKey>

interface Kind {
  what: string
  table: string
  id: string
  /** The text that begins with the id of its key. */
  column: string
  /** Columns that it depends on. */
  others: string
  /** The same under the active key; undefined when no key of the ring made it for this row. */
  renew: (ring: Ring, text: string, row: Row) => Promise<string | undefined>
}

/** Recovery codes are not among them: a digest can only be made from the code, which its owner has. */
const kinds: readonly Kind[] = [
  {
    what: 'authenticator apps',
    table: 'totps',
    id: 'user_id',
    column: 'secret',
    others: '',
    renew: async (ring, text, { id }) => {
      const context = [uuidOfBytes(bytes(id))]
      const seed = await openData(ring, 'totp-seed', context, text)
      return seed && sealData(ring, 'totp-seed', context, seed)
    },
  },
  {
    what: 'passkeys',
    table: 'passkeys',
    id: 'id',
    column: 'binding',
    others: ', hex(user_id) AS user, hex(credential_id) AS credential, hex(public_key) AS key',
    renew: async (ring, binding, { user, credential, key }) => {
      const owned = { userId: uuidOfBytes(bytes(user)), credentialId: bytes(credential), publicKey: bytes(key) }
      // Otherwise a passkey that somebody wrote into the database would become a good one here.
      return (await isBoundPasskey(ring, { ...owned, binding })) ? bindPasskey(ring, owned) : undefined
    },
  },
]

/** A few kilobytes of SQL: an argument of a command is at most 128 KiB long. */
const pageSize = 100

export interface Rewrapped {
  what: string
  count: number
  /** The ids of rows whose value no key of the ring made. */
  refused: string[]
}

/**
 * Walks through the rows under other keys than the active one, a hundred at a time. A row is written only as it was
 * read: one that changes meanwhile is under the active key already. After an interruption the next run finds what is
 * left.
 *
 * @param report called after each page with what was done until then
 */
export async function rewrap(query: Query, ring: Ring, report: (done: Rewrapped) => void): Promise<Rewrapped[]> {
  const all: Rewrapped[] = []
  for (const kind of kinds) all.push(await rewrapKind(query, ring, kind, report))
  return all
}

async function rewrapKind(query: Query, ring: Ring, kind: Kind, report: (done: Rewrapped) => void): Promise<Rewrapped> {
  const { what, table, id, column, others } = kind
  const done: Rewrapped = { what, count: 0, refused: [] }
  const next = (last: string) =>
    `SELECT hex(${id}) AS id, ${column} AS text${others} FROM ${table} WHERE ${id} > x'${last}' AND NOT ${isUnder(column, ring[0].kid)} ORDER BY ${id} LIMIT ${pageSize}`
  for (let rows = await query(next('')); rows.length > 0;) {
    const statements: string[] = []
    for (const row of rows) {
      const text = String(row['text'])
      const renewed = await kind.renew(ring, text, row)
      if (renewed === undefined) done.refused.push(String(row['id']).toLowerCase())
      // A text that a key of the ring made has no quote in it.
      else
        statements.push(
          `UPDATE ${table} SET ${column} = '${renewed}' WHERE ${id} = x'${String(row['id'])}' AND ${column} = '${text}'`,
        )
    }
    done.count += statements.length
    rows = await query([...statements, next(String(rows.at(-1)?.['id']))].join(';\n'))
    report(done)
  }
  return done
}

function bytes(hex: unknown): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(String(hex).match(/../g) ?? [], (digits) => parseInt(digits, 16))
}
