import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { bytes, instant, uuid } from './columns.ts'
import { users } from './users.ts'

export const sessions = sqliteTable(
  'sessions',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    /** The id in the device token of its sign-in: the next sign-in of that device ends this session. */
    deviceId: uuid('device_id').notNull(),
    /** The generation of the newest refresh token. The token itself is computed and never stored. */
    generation: integer('generation').notNull(),
    /** The sign-in or the last rotation. The replay window starts here. */
    lastUsedAt: instant('last_used_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    /** A change of the password closed the tokens before this generation: refused, and no longer a sign of theft. */
    firstGeneration: integer('first_generation'),
    /**
     * The newest generation when the password was changed without a token. The token before it may not be repeated, and
     * the newest itself not from another network.
     */
    settledGeneration: integer('settled_generation'),
    /** When the user last proved who they are in this session. Null: at its sign-in. */
    authenticatedAt: instant('authenticated_at'),
    /** How (RFC 8176), as JSON. Null: by the password alone. */
    amr: text('amr', { mode: 'json' }).$type<string[]>(),
    /** Where the last rotation came from. */
    ip: bytes('ip'),
    country: text('country'),
    /** See `userAgents`: for people. */
    userAgentId: integer('user_agent_id'),
    /** For the comparison of two user agents, whether they are in the table or not. */
    userAgentDigest: bytes('user_agent_digest'),
    /** The network of `ip`: 3 bytes of IPv4, 8 bytes of IPv6. */
    network: bytes('network'),
    /** The generation whose rotation was repeated last: it is counted, and repeating it again writes nothing. */
    repeatedGeneration: integer('repeated_generation'),
    /** When the last three repeated rotations were repeated first, newest first. A fourth in a day is theft. */
    lastRepeatAt: instant('last_repeat_at'),
    secondRepeatAt: instant('second_repeat_at'),
    thirdRepeatAt: instant('third_repeat_at'),
    /** The last repetition from another network: when, of which generation, and from where. */
    strayedAt: instant('strayed_at'),
    strayedGeneration: integer('strayed_generation'),
    strayedNetwork: bytes('strayed_network'),
  },
  (table) => [index('sessions_user').on(table.userId)],
)

export type Session = typeof sessions.$inferSelect

/** A session as people see it. */
export type ListedSession = Session & { userAgent: string | null }
