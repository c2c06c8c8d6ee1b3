/** Runs before every test of every file. Files share a worker, so whatever a test leaves behind is put back here. */
import { applyD1Migrations, reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach } from 'vitest'
import { maxIterationsPerCall } from '../../src/crypto/password.ts'
import { viewStatements } from './readable.ts'

// Deployed Workers refuse more iterations in one call and no local runtime does: every test runs with the refusal.
crypto.subtle.deriveBits = (algorithm, ...rest) => {
  if (typeof algorithm === 'object' && (algorithm.iterations ?? 0) > maxIterationsPerCall) {
    throw new DOMException(
      `Pbkdf2 failed: iteration counts above ${maxIterationsPerCall} are not supported`,
      'NotSupportedError',
    )
  }
  return SubtleCrypto.prototype.deriveBits.call(crypto.subtle, algorithm, ...rest)
}

interface Table {
  name: string
  sql: string
}

const listTables = () =>
  env.DB.prepare(
    String.raw`select name, sql from sqlite_master where type = 'table' and name not like '\_cf%' escape '\' order by name = 'users', name`,
  )

/** The tables after the migrations, `users` last since every foreign key leads there. */
let migrated: Table[] | undefined

beforeEach(async () => {
  if (!migrated || !(await emptyTables(migrated))) migrated = await migrate()
  const { keys } = await env.REVOCATIONS.list()
  await Promise.all(keys.map(({ name }) => env.REVOCATIONS.delete(name)))
}, 60_000)

/** Dropping a table of more rows is faster than emptying it. */
const maxRows = 1000

/** Empties the tables, which costs a tenth of a reset with migrations. False when they are large or not the same ones. */
async function emptyTables(tables: Table[]): Promise<boolean> {
  const { results } = await listTables().all<Table>()
  if (JSON.stringify(results) !== JSON.stringify(tables)) return false
  const names = tables.map(({ name }) => name).filter((name) => name !== 'd1_migrations')
  const sizes = await env.DB.batch<{ n: number }>(
    names.map((name) => env.DB.prepare(`select count(*) as n from (select 1 from ${name} limit ${maxRows})`)),
  )
  if (sizes.some(({ results: [size] }) => size!.n >= maxRows)) return false
  const filled = names.filter((_, place) => sizes[place]!.results[0]!.n > 0)
  if (filled.length > 0) await env.DB.batch(filled.map((name) => env.DB.prepare(`delete from ${name}`)))
  return true
}

// The first reset of a warm process's second run (mutation tests) left the database as it was, unless it had been asked
// something just before.
async function migrate(): Promise<Table[]> {
  await env.DB.exec('select 1')
  await reset()
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS)
  await env.DB.batch(viewStatements().map((statement) => env.DB.prepare(statement)))
  const { results } = await listTables().all<Table>()
  return results
}
