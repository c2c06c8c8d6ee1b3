/** Inserts rows by the names of the schema. Columns that a test leaves out get a valid value. */
import { env } from 'cloudflare:workers'
import { getTableColumns, getTableName } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { addressSlot } from '../../src/crypto/address-slot.ts'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import { attemptCounters } from '../../src/store/schema/attempts.ts'
import { type AuditEvent, auditEvents } from '../../src/store/schema/audit.ts'
import { announceAtOf } from '../../src/store/emails.ts'
import { emailChanges } from '../../src/store/schema/email-changes.ts'
import { emails } from '../../src/store/schema/emails.ts'
import { oneTimeLinks } from '../../src/store/schema/links.ts'
import { passkeys } from '../../src/store/schema/passkeys.ts'
import { registrations } from '../../src/store/schema/registrations.ts'
import { sessions } from '../../src/store/schema/sessions.ts'
import { userAgents } from '../../src/store/schema/user-agents.ts'
import { users } from '../../src/store/schema/users.ts'
import { Clock, hour } from './clock.ts'
import { hexOf } from './readable.ts'

type New<Table extends SQLiteTable> = Table['$inferInsert']
type Given<Table extends SQLiteTable, Needed extends keyof New<Table>> = Partial<New<Table>> & Pick<New<Table>, Needed>

/** A row as it was stored. */
type Stored<Table extends SQLiteTable> = Table['$inferSelect']

const start = new Clock().now()
const newId = () => uuidv7(start)

export const insertUsers = (rows: Partial<New<typeof users>>[]) =>
  insertRows(users, rows, () => {
    const id = newId()
    return { id, email: `${id}@example.com`, role: 'USER', status: 'active', updatedAt: start }
  })

export const insertSessions = (rows: Given<typeof sessions, 'userId'>[]) =>
  insertRows(sessions, rows, () => ({
    id: newId(),
    generation: 1,
    deviceId: newId(),
    lastUsedAt: start,
    expiresAt: new Date(start.getTime() + hour),
  }))

export const insertRegistrations = (rows: Given<typeof registrations, 'email'>[]) =>
  insertRows(registrations, rows, () => ({ id: newId(), passwordHash: new Uint8Array(1) }))

export const insertLinks = (rows: Given<typeof oneTimeLinks, 'userId'>[]) =>
  insertRows(oneTimeLinks, rows, () => ({
    id: newId(),
    purpose: 'activation',
    createdAt: start,
    expiresAt: new Date(start.getTime() + hour),
  }))

/** Passkeys with which nobody can sign in: key and binding are none. */
export const insertPasskeys = (rows: Given<typeof passkeys, 'userId'>[]) =>
  insertRows(passkeys, rows, () => ({
    id: newId(),
    credentialId: crypto.getRandomValues(new Uint8Array(16)),
    publicKey: new Uint8Array(77),
    algorithm: -7,
    rpId: 'accounts.example.com',
    signCount: 0,
    isBackupEligible: true,
    isBackedUp: true,
    transports: ['internal'],
    aaguid: '00000000-0000-0000-0000-000000000000',
    name: 'Passkey',
    binding: 'test-data.none',
    usedChallenges: [],
  }))

/** Emails without a link, to somebody whom nobody looks up. */
export const insertEmails = (rows: Given<typeof emails, 'recipient'>[]) =>
  insertRows(
    emails,
    rows.map((row) => ({ announceAt: announceAtOf(row.dueAt ?? start), ...row })),
    () => ({
      id: newId(),
      template: 'account_activated',
      budget: 'account_activated',
      params: {},
      status: 'queued',
      attempts: 0,
      dueAt: start,
    }),
  )

/** Requests for another address, by an account whose password has the id of the account. */
export const insertEmailChanges = (
  rows: Given<typeof emailChanges, 'userId' | 'newEmail' | 'oldEmail' | 'revertUntil'>[],
) =>
  insertRows(
    emailChanges,
    rows.map((row) => ({ passwordId: row.userId, expiresAt: row.revertUntil, ...row })),
    () => ({ linkId: newId() }),
  )

/** Lists user agents, so that they have a name in sessions and events. */
export const insertUserAgents = (texts: string[], seenAt = start) =>
  insertRows(
    userAgents,
    texts.map((text, place) => ({ id: place + 1, text, rowCount: place + 1 })),
    () => ({ seenAt }),
  )

/** Events as the services make them, without a user agent. Their ids say when they were. */
export const insertAuditEvents = (
  events: (Partial<Omit<AuditEvent, 'at' | 'userAgent'>> & Pick<AuditEvent, 'type'>)[],
) =>
  insertRows(
    auditEvents,
    events.map(({ actorId, ip, requestId, detail, ...event }) => {
      const { session_id: session, email_id: email, ...more } = detail ?? {}
      const byUser = actorId != null && actorId === event.userId
      return {
        ...event,
        byUser,
        actorId: byUser ? null : actorId,
        subjectId: session ?? email,
        ip: ip == null ? null : addressBytes(ip),
        requestId: requestId == null ? null : new TextEncoder().encode(requestId),
        detail: Object.keys(more).length > 0 ? more : null,
      }
    }),
    () => ({ id: newId() }),
  )

/** IPv4 alone. */
const addressBytes = (ip: string) => Uint8Array.from(ip.split('.'), Number)

export const insertAttempts = (rows: Given<typeof attemptCounters, 'key'>[]) =>
  insertRows(attemptCounters, rows, () => ({ count: 1, allowedAt: start, updatedAt: start, inFlight: 0, series: '' }))

/** The key under which wrong passwords of unknown devices are counted for an address now. */
export async function counterKeyOf(email: string): Promise<string> {
  const user = await env.DB.prepare('select 1 from users where email = ?').bind(email).first()
  return user ? `account:${email}` : `slot:${await addressSlot(email, parseSecretKeys(env.TOKEN_KEYS)[0])}`
}

/** Sets how many wrong passwords in a row are counted for an address. A negative count allows so many more tries. */
export async function setAttempts(email: string, count: number, allowedAt = new Date(0)): Promise<void> {
  await setCounter(await counterKeyOf(email), count, allowedAt)
}

/** The same of wrong second factors of a user. */
export async function setFactorAttempts(userId: string, count: number, allowedAt = new Date(0)): Promise<void> {
  await setCounter(`factor:${userId}`, count, allowedAt)
}

async function setCounter(key: string, count: number, allowedAt: Date): Promise<void> {
  await env.DB.prepare('delete from attempt_counters where key = ?').bind(key).run()
  await insertRows(attemptCounters, [{ key, count, allowedAt, updatedAt: new Date(0) }], () => ({
    inFlight: 0,
    series: '',
  }))
}

/** Keeps the bound JSON below the size limit of a value in D1. */
const rowsAtOnce = 2000

export async function insertRows<Table extends SQLiteTable>(
  table: Table,
  rows: object[],
  defaults: () => object,
): Promise<Stored<Table>[]> {
  const whole: Record<string, unknown>[] = rows.map((row) => ({ ...defaults(), ...row }))
  const columns = Object.entries(getTableColumns(table))
  const names = columns.map(([, { name }]) => name)
  const values = columns.map(([, column]) =>
    column.getSQLType() === 'blob' ? `unhex(value ->> '$.${column.name}')` : `value ->> '$.${column.name}'`,
  )
  const sql = `insert into ${getTableName(table)} (${names.join()}) select ${values.join()} from json_each(?)`
  const stored = whole.map((row) =>
    Object.fromEntries(
      columns.map(([key, column]) => {
        const value = row[key] ?? null
        const driverValue = value === null ? null : column.mapToDriverValue(value)
        return [column.name, driverValue instanceof ArrayBuffer ? hexOf(new Uint8Array(driverValue)) : driverValue]
      }),
    ),
  )
  for (let from = 0; from < stored.length; from += rowsAtOnce) {
    await env.DB.prepare(sql)
      .bind(JSON.stringify(stored.slice(from, from + rowsAtOnce)))
      .run()
  }
  return whole
}
