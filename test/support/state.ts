/** What the stores hold, and what an act changed in them: a test says all of it, so nothing else may have happened. */
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { ipOfBytes } from '../../src/ip-address.ts'
import type { AnswerTo, OperationId, Reply } from './api.ts'
import { tableNames } from './raw-tables.ts'
import { readable, readableWrite } from './readable.ts'
import type { Service } from './service.ts'
import { bytesOfHex } from './stored-hash.ts'

export type Row = Record<string, string | number | null>

/** A query over the tables as people read them (see `readable`). */
export async function select<Found extends Row = Row>(query: string, ...values: (string | number)[]): Promise<Found[]> {
  const { results } = await env.DB.prepare(readable(query))
    .bind(...values)
    .all<Found>()
  return results.map(withShortAddress)
}

/** IPv6 as everybody writes it, which SQL cannot do. */
function withShortAddress<Found extends Row>(row: Found): Found {
  const { ip } = row
  return typeof ip === 'string' && ip.includes(':')
    ? { ...row, ip: new URL(`http://[${ip}]`).hostname.slice(1, -1) }
    : row
}

const orderOf: Record<string, string> = {
  attempt_counters: 'key',
  ceilings: 'period, subject',
  totps: 'user_id',
  recovery_codes: 'digest',
  email_changes: 'user_id',
}

export async function rowsOf(table: string, where = 'true', ...values: (string | number)[]): Promise<Row[]> {
  return select(`select * from ${table} where ${where} order by ${orderOf[table] ?? 'id'}`, ...values)
}

/** The only row that fits. */
export async function rowOf(table: string, where = 'true', ...values: (string | number)[]): Promise<Row> {
  const rows = await rowsOf(table, where, ...values)
  expect(rows, `one row of ${table}`).toHaveLength(1)
  return rows[0]!
}

/** For a state that no call of the API leads to: an update or a deletion, with ids and words as text. */
export async function write(statement: string, ...values: (string | number | null)[]): Promise<void> {
  await env.DB.prepare(readableWrite(statement))
    .bind(...values)
    .run()
}

/** Every row of every table, but for what every act counts: test/security/ceilings.test.ts looks at that. */
export async function snapshot(): Promise<Map<string, Map<string, Row>>> {
  const names = (await tableNames()).filter((name) => name !== 'ceilings')
  expect(names).toContain('users')
  const results = await env.DB.batch<Row>(names.map((name) => env.DB.prepare(readable(`select * from ${name}`))))
  return new Map(
    names.map((name, place) => [
      name,
      new Map(results[place]!.results.map((row) => [keyOf(row), withShortAddress(row)])),
    ]),
  )
}

/** Of a recovery code, the user and the code. */
function keyOf({ id, key, name, user_id, digest }: Row): string {
  return String(id ?? key ?? name ?? [user_id, digest])
}

/** Where a text stands in the database: `table.column`, in whatever case. */
export async function whereIs(text: string): Promise<string[]> {
  const places = new Set<string>()
  for (const [table, rows] of await snapshot()) {
    for (const row of rows.values()) {
      for (const [column, value] of Object.entries(row)) {
        if (String(value).toLowerCase().includes(text.toLowerCase())) places.add(`${table}.${column}`)
      }
    }
  }
  return [...places]
}

/** The sessions on the revocation list. */
export async function revokedSessions(): Promise<string[]> {
  const { keys } = await env.REVOCATIONS.list()
  return keys.map(({ name }) => name.replace(/^session:/, '')).toSorted()
}

export interface Event {
  type: string
  actor: string | null
  user: string | null
  detail: unknown
}

export interface Effects {
  /** By table, how many rows were added, removed and changed: `+1`, `-2`, `~1`. Tables where nothing happened are absent. */
  rows: Record<string, string>
  /** What was recorded, by type. */
  events: Event[]
  /** The sessions that are new on the revocation list. */
  revoked: string[]
  /** What was mailed then: `to: subject`. */
  mails: string[]
}

export const nothing: Effects = { rows: {}, events: [], revoked: [], mails: [] }

export interface Observation<T> {
  answer: T
  effects: Effects
  /** The whole rows of the new audit events. */
  audit: Row[]
}

/**
 * Does something and tells all it did: rows, events and revocations as they were at the answer, then the mail. What was
 * on its way before is delivered first. Of a call of an operation, `answer` is whatever it answered.
 */
export async function observe<Id extends OperationId>(
  service: Service,
  act: () => Reply<Id>,
): Promise<Observation<AnswerTo<Id>>>
export async function observe<T>(service: Service, act: () => Promise<T>): Promise<Observation<T>>
export async function observe(service: Service, act: () => Promise<unknown>): Promise<Observation<unknown>> {
  await service.deliver()
  const [before, revokedBefore] = [await snapshot(), await revokedSessions()]
  const mailsBefore = service.mailbox.mails().length
  const acted = act()
  const answer = await ('answer' in acted ? acted.answer : acted)
  const [after, revokedAfter] = [await snapshot(), await revokedSessions()]
  await service.deliver()
  const mails = service.mailbox.mails()

  const rows: Record<string, string> = {}
  for (const [table, now] of after) {
    const change = difference(before.get(table)!, now)
    if (change) rows[table] = change
  }
  const audit = [...after.get('audit_events')!.values()].filter(
    ({ id }) => !before.get('audit_events')!.has(String(id)),
  )
  return {
    answer,
    effects: {
      rows,
      events: audit.map(eventOf).toSorted((a, b) => (a.type < b.type ? -1 : 1)),
      revoked: revokedAfter.filter((id) => !revokedBefore.includes(id)),
      mails: mails.slice(0, mails.length - mailsBefore).map(({ to, subject }) => `${to.join()}: ${subject}`),
    },
    audit,
  }
}

function eventOf({ type, actor_id, user_id, detail }: Row): Event {
  return {
    type: String(type),
    actor: actor_id as string | null,
    user: user_id as string | null,
    detail: detail === null || detail === undefined ? null : JSON.parse(String(detail), readableAddress),
  }
}

/** An address in a detail is stored in hex. */
function readableAddress(name: string, value: unknown): unknown {
  return name.endsWith('_ip') && typeof value === 'string' ? ipOfBytes(bytesOfHex(value)) : value
}

function difference(before: Map<string, Row>, after: Map<string, Row>): string {
  const added = [...after.keys()].filter((id) => !before.has(id)).length
  const removed = [...before.keys()].filter((id) => !after.has(id)).length
  const changed = [...after].filter(
    ([id, row]) => before.has(id) && JSON.stringify(before.get(id)) !== JSON.stringify(row),
  ).length
  return [added && `+${added}`, removed && `-${removed}`, changed && `~${changed}`].filter(Boolean).join(' ')
}
