import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { bytes, instant, uuid } from './columns.ts'
import { users } from './users.ts'

/** WebAuthn credentials. The id says when one was added. */
export const passkeys = sqliteTable(
  'passkeys',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    credentialId: bytes('credential_id').notNull(),
    /** A COSE_Key (RFC 9052 §7), as the authenticator gave it. */
    publicKey: bytes('public_key').notNull(),
    /**
     * A COSE algorithm: -7 (ES256), -8 (EdDSA), -257 (RS256). For counting, before one of them is no longer accepted.
     * Nothing decides by it: verification reads the algorithm in `publicKey`, which `binding` covers.
     */
    algorithm: integer('algorithm').notNull(),
    /** Browsers offer the credential only for this RP ID. */
    rpId: text('rp_id').notNull(),
    signCount: integer('sign_count').notNull(),
    /** Whether it may be synced. Never changes for a credential. */
    isBackupEligible: integer('backup_eligible', { mode: 'boolean' }).notNull(),
    isBackedUp: integer('backed_up', { mode: 'boolean' }).notNull(),
    transports: text('transports', { mode: 'json' }).$type<string[]>().notNull(),
    /** The model of the authenticator. */
    aaguid: uuid('aaguid').notNull(),
    name: text('name').notNull(),
    /** A MAC over user, credential and key: whoever can only write the database cannot give an account a passkey. */
    binding: text('binding').notNull(),
    /** The challenges of the last five minutes that it signed, newest last: each counts once. */
    usedChallenges: text('used_challenges', { mode: 'json' }).$type<string[]>().notNull(),
    lastUsedAt: instant('last_used_at'),
  },
  (table) => [
    uniqueIndex('passkeys_credential').on(table.credentialId),
    index('passkeys_user').on(table.userId),
    // Finds those of another RP ID, which no browser offers any more, without reading the others.
    index('passkeys_rp').on(table.rpId),
  ],
)

export type Passkey = typeof passkeys.$inferSelect
