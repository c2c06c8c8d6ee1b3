/** The numbers that stand for words in D1. A number that changed its word would rewrite every row that was stored before. */
import { getTableColumns, getTableName } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { auditEvents } from '../../src/store/schema/audit.ts'
import { emails } from '../../src/store/schema/emails.ts'
import { oneTimeLinks } from '../../src/store/schema/links.ts'
import { sessions } from '../../src/store/schema/sessions.ts'
import { users } from '../../src/store/schema/users.ts'

/** As recorded. New words are added at the end; no line is ever changed or taken away. */
const recorded = {
  'audit_events.type': {
    1: 'user.registered',
    2: 'user.activation_requested',
    3: 'user.activated',
    4: 'user.activation_refused',
    5: 'user.signed_in',
    6: 'user.sign_in_refused',
    7: 'user.password_changed',
    8: 'user.password_change_refused',
    9: 'user.password_reset_requested',
    10: 'user.password_reset',
    11: 'user.profile_updated',
    12: 'user.role_changed',
    13: 'user.suspended',
    14: 'user.reinstated',
    15: 'user.deleted',
    16: 'user.deletion_refused',
    17: 'user.expired',
    18: 'session.ended',
    19: 'session.refresh_repeated',
    20: 'session.reuse_detected',
    21: 'email.failed',
    22: 'email.undeliverable',
    23: 'email.suppression_lifted',
    24: 'user.second_factor_refused',
    25: 'user.stepped_up',
    26: 'user.step_up_refused',
    27: 'user.factor_added',
    28: 'user.factor_removed',
    29: 'user.recovery_code_used',
    30: 'user.recovery_codes_renewed',
    31: 'user.factors_reset',
    32: 'user.email_change_requested',
    33: 'user.email_changed',
    34: 'user.email_change_reverted',
    35: 'user.exported',
    36: 'user.passkey_doubted',
    37: 'user.passkey_renamed',
  },
  'emails.status': { 0: 'queued', 1: 'sending', 2: 'sent', 3: 'skipped', 4: 'failed', 5: 'unknown' },
  'emails.fate': {
    1: 'delivery_delayed',
    2: 'delivered',
    3: 'failed',
    4: 'soft_bounced',
    5: 'suppressed',
    6: 'bounced',
    7: 'complained',
  },
  'one_time_links.purpose': { 1: 'activation', 2: 'reset', 3: 'email_change' },
  'users.role': { 0: 'USER', 1: 'MODERATOR', 2: 'ADMIN' },
  'users.status': { 0: 'pending', 1: 'active', 2: 'suspended' },
  'users.suspended_by_role': { 0: 'USER', 1: 'MODERATOR', 2: 'ADMIN' },
  'users.email_problem': { 1: 'suppressed', 2: 'bounced', 3: 'complained' },
}

it('the words of D1 never change their numbers', () => {
  const columns = [auditEvents, emails, oneTimeLinks, sessions, users].flatMap((table) =>
    Object.values(getTableColumns(table)).map((column) => [`${getTableName(table)}.${column.name}`, column] as const),
  )
  const coded = columns.filter(
    ([, column]) => column.columnType === 'SQLiteCustomColumn' && column.getSQLType() === 'integer',
  )
  const numbers = Array.from({ length: 1000 }, (_, number) => number)
  const wordsOf = (column: (typeof coded)[number][1]) =>
    Object.fromEntries(
      numbers.flatMap((number) => {
        const word: unknown = column.mapFromDriverValue(number)
        return word === undefined ? [] : [[number, word]]
      }),
    )
  expect(Object.fromEntries(coded.map(([name, column]) => [name, wordsOf(column)]))).toEqual(recorded)
})
