/**
 * The tables as people read them: ids, addresses and words as text instead of bytes and numbers, and the time that an id
 * says. There is a view of each table, made after the migrations. Tests may update and delete through it, too.
 */
import { getTableColumns, getTableName } from 'drizzle-orm'
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { attemptCounters } from '../../src/store/schema/attempts.ts'
import { auditCodes, auditEvents } from '../../src/store/schema/audit.ts'
import { emailChanges } from '../../src/store/schema/email-changes.ts'
import { emails } from '../../src/store/schema/emails.ts'
import { oneTimeLinks } from '../../src/store/schema/links.ts'
import { passkeys } from '../../src/store/schema/passkeys.ts'
import { recoveryCodes } from '../../src/store/schema/recovery-codes.ts'
import { registrations } from '../../src/store/schema/registrations.ts'
import { sessions } from '../../src/store/schema/sessions.ts'
import { sweeps } from '../../src/store/schema/sweeps.ts'
import { totps } from '../../src/store/schema/totps.ts'
import { userAgents } from '../../src/store/schema/user-agents.ts'
import { users } from '../../src/store/schema/users.ts'

const tables: readonly SQLiteTable[] = [
  attemptCounters,
  auditEvents,
  emailChanges,
  emails,
  oneTimeLinks,
  passkeys,
  recoveryCodes,
  registrations,
  sessions,
  sweeps,
  totps,
  userAgents,
  users,
]

const viewOf = (table: string) => `readable_${table}`

/** The statements that make the views. */
export function viewStatements(): string[] {
  return tables.flatMap(statementsFor)
}

function statementsFor(table: SQLiteTable): string[] {
  const [name, columns] = [getTableName(table), Object.values(getTableColumns(table))]
  const view = viewOf(name)
  const single = columns.filter(({ primary }) => primary)
  const key = single.length > 0 ? single : columns
  const isThis = key.map((column) => `${name}.${column.name} = ${stored(column, 'old')}`).join(' and ')
  const shown = table === auditEvents ? eventColumns : [...columns.map(readableColumn), ...derivedColumns(columns)]
  const values = columns.map((column) => `${column.name} = ${stored(column, 'new')}`)
  const update = `create trigger ${view}_update instead of update on ${view}
    begin update ${name} set ${values.join()} where ${isThis}; end`
  return [
    `create view ${view} as select ${shown.join()} from ${name}`,
    `create trigger ${view}_delete instead of delete on ${view} begin delete from ${name} where ${isThis}; end`,
    // The trail is append-only.
    ...(table === auditEvents ? [] : [update]),
  ]
}

/** A query in which the names of the tables mean their views. */
export function readable(query: string): string {
  const names = tables.map(getTableName)
  return `with ${names.map((name) => `${name} as (select * from ${viewOf(name)})`).join()} ${query}`
}

/** The same for an update or a deletion. */
export function readableWrite(statement: string): string {
  const [, verb, table, rest] = /^\s*(update|delete from)\s+(\w+)(.*)$/is.exec(statement) ?? []
  if (!table) throw new Error(`neither an update nor a deletion: ${statement}`)
  return readable(`${verb} ${viewOf(table)}${rest}`)
}

const aUuid = '00000000-0000-7000-8000-000000000000'
const isCustom = ({ columnType }: SQLiteColumn) => columnType === 'SQLiteCustomColumn'
const isCoded = (column: SQLiteColumn) => isCustom(column) && column.getSQLType() === 'integer'
const isBytes = (column: SQLiteColumn) => column.getSQLType() === 'blob'
const isUuid = (column: SQLiteColumn) => isBytes(column) && column.mapToDriverValue(aUuid) instanceof ArrayBuffer

/** The words of a column and their numbers. */
function wordsOf(column: SQLiteColumn): [word: string, number: number][] {
  const words = Array.from({ length: 100 }, (_, number) => column.mapFromDriverValue(number) as string | undefined)
  return words.flatMap((word, number) => (word === undefined ? [] : [[word, number]]))
}

function readableColumn(column: SQLiteColumn): string {
  const { name } = column
  if (isCoded(column)) {
    const cases = wordsOf(column).map(([word, number]) => `when ${number} then '${word}'`)
    return `case ${name} ${cases.join(' ')} else ${name} end as ${name}`
  }
  if (isUuid(column)) return `${uuidText(name)} as ${name}`
  if (name === 'ip') return addressColumn
  return isBytes(column) ? `iif(${name} is null, null, lower(hex(${name}))) as ${name}` : name
}

/** The value of a view's column as the table stores it. */
function stored(column: SQLiteColumn, version: 'new' | 'old'): string {
  const value = `${version}.${column.name}`
  if (isCoded(column)) {
    // A word without a number stays a text, which a STRICT table refuses.
    const cases = wordsOf(column).map(([word, number]) => `when '${word}' then ${number}`)
    return `case ${value} ${cases.join(' ')} else ${value} end`
  }
  if (column.name === 'ip') return 'iif(new.ip is old.ip, ip, unhex(new.ip))'
  return isBytes(column) ? `unhex(${value}, '-')` : value
}

function derivedColumns(columns: readonly SQLiteColumn[]): string[] {
  const names = columns.map(({ name }) => name)
  return [
    ...(names.includes('id') && !names.includes('created_at') ? [`${timeOfId} as created_at`] : []),
    ...(names.includes('user_agent_id') ? [userAgentColumn] : []),
  ]
}

function uuidText(column: string): string {
  const part = (from: number, length: number) => `substr(hex(${column}), ${from}, ${length})`
  const parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)]
  return `iif(${column} is null, null, lower(${parts.join(` || '-' || `)}))`
}

const numberOf = (hex: string) => `('0x' || ${hex} ->> '$')`

const timeOfId = numberOf('substr(hex(id), 1, 12)')

const hexOfAddress = (length: number) => (place: number) => `substr(hex(ip), ${place}, ${length})`
const addressColumn = `case length(ip)
  when 4 then ${[1, 3, 5, 7].map(hexOfAddress(2)).map(numberOf).join(` || '.' || `)}
  when 16 then ${[1, 5, 9, 13, 17, 21, 25, 29].map(hexOfAddress(4)).join(` || ':' || `)}
  end as ip`

const userAgentText = `iif(user_agent_id is null, null,
  coalesce((select text from user_agents where user_agents.id = user_agent_id), 'other'))`
const userAgentColumn = `${userAgentText} as user_agent`

const { userId, type } = getTableColumns(auditEvents)
const emailTypes = Object.entries(auditCodes).flatMap(([word, code]) => (word.startsWith('email.') ? [code] : []))
const subjectPart = `'{"' ||
  iif(type in (${emailTypes.join()}),
    'email_id', 'session_id') || '":"' || ${uuidText('subject_id')} || '"'`

/** Without the text of a user agent that is not listed. */
const restOfDetail = `json_remove(coalesce(detail, '{}'), '$.user_agent')`

/** As `AuditEvent` has them. */
const eventColumns = [
  `${uuidText('id')} as id`,
  `${timeOfId} as at`,
  readableColumn(type),
  `iif(by_user, ${uuidText('user_id')}, ${uuidText('actor_id')}) as actor_id`,
  readableColumn(userId),
  addressColumn,
  'country',
  `coalesce(detail ->> 'user_agent', ${userAgentText}) as user_agent`,
  `iif(length(request_id) = 16, ${uuidText('request_id')}, cast(request_id as text)) as request_id`,
  `case when subject_id is null then nullif(${restOfDetail}, '{}') when ${restOfDetail} = '{}' then ${subjectPart} || '}'
    else ${subjectPart} || ',' || substr(${restOfDetail}, 2) end as detail`,
]

export const hexOf = (bytes: Iterable<number>) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
