import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { getTableName } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { roles } from '../../src/permissions.ts'
import { emailStatuses, emails } from '../../src/store/schema/emails.ts'
import { userStatuses, users } from '../../src/store/schema/users.ts'
import { demoAdmin } from '../../tools/demo/demo-admin.ts'
import { localDatabase } from '../../tools/dev/database.ts'
import { readSeedArguments } from '../../tools/seed/arguments.ts'
import { type Put, tables } from '../../tools/seed/rows.ts'
import { putHistory } from '../../tools/seed/histories.ts'
import { personAt } from '../../tools/seed/people.ts'
import { originsOf } from '../../tools/seed/origins.ts'
import { Random } from '../../tools/seed/random.ts'
import { CommandProcess } from './support/command-process.ts'
import { stopCleanly } from './support/dev-server.ts'
import { freePort } from './support/free-port.ts'
import { prepareFreshState } from './support/prepare.ts'

const timeout = 300_000
let env: { PORT: string; MAILBOX_PORT: string; STATE_DIR: string }

before(async () => {
  env = {
    PORT: String(await freePort()),
    MAILBOX_PORT: String(await freePort()),
    STATE_DIR: await prepareFreshState(),
  }
})

after(() => rmSync(env.STATE_DIR, { recursive: true, force: true }))

test('the seed decides the people', () => {
  const first = rowsOf(7)
  assert.deepEqual(rowsOf(7), first)
  assert.notDeepEqual(rowsOf(8), first)
})

test('invalid numbers are refused', () => {
  assert.deepEqual(readSeedArguments([]), { users: 500, seed: 1 })
  for (const args of [['--users', 'x'], ['--users', '0'], ['--users=-5'], ['--seed', '1.5'], ['--remote']]) {
    assert.throws(() => readSeedArguments(args), { name: 'Stop' }, args.join(' '))
  }
})

test('a fresh database gets people of every status and role, and valid references', { timeout }, async () => {
  await seed()
  const database = openDatabase()
  const distinct = (column: string, table: string) =>
    database
      .prepare(`SELECT DISTINCT ${column} AS it FROM ${table} WHERE it IS NOT NULL ORDER BY it`)
      .all()
      .map(({ it }) => it)
  const numbersOf = (column: SQLiteColumn, words: readonly string[]) =>
    words.map((word) => Number(column.mapToDriverValue(word))).toSorted((a, b) => a - b)
  assert.deepEqual(distinct('status', 'users'), numbersOf(users.status, userStatuses))
  assert.deepEqual(distinct('role', 'users'), numbersOf(users.role, roles))
  assert.deepEqual(distinct('status', 'emails'), numbersOf(emails.status, emailStatuses))
  for (const table of tables.map(getTableName)) assert.ok(count(database, table) > 0, table)
  assert.deepEqual(database.prepare('PRAGMA foreign_key_check').all(), [])
  database.close()
})

test('a second run replaces seeded people and keeps everybody else', { timeout }, async () => {
  const database = openDatabase()
  const before = count(database, 'users')
  // An account that was not seeded, at an address of the seed.
  database.exec(`DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE email = 'user@example.com')`)
  database.exec(
    `UPDATE users SET id = x'01900000000070008000000000000001', bio = 'mine' WHERE email = 'user@example.com'`,
  )
  database.close()
  const output = await seed()
  assert.match(output, /user@example\.com was there before/)
  const again = openDatabase()
  assert.equal(count(again, 'users'), before)
  const kept = again.prepare(`SELECT hex(id) AS id, bio FROM users WHERE email = 'user@example.com'`).get()
  assert.deepEqual({ ...kept }, { id: '01900000000070008000000000000001', bio: 'mine' })
  again.exec(`DELETE FROM users WHERE id = x'01900000000070008000000000000001'`)
  again.close()
  await seed()
})

test('seeded people sign in to the real server, and an ADMIN lists them', { timeout }, async () => {
  const dev = new CommandProcess('tools/dev.ts', env)
  try {
    await dev.untilSaid('Postern runs.')
    const signIn = (email: string) =>
      fetch(`http://localhost:${env.PORT}/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email, password: demoAdmin.password }),
      })
    for (const [email, role] of [
      ['user@example.com', 'USER'],
      ['moderator@example.com', 'MODERATOR'],
    ] as const) {
      const answer = await signIn(email)
      assert.equal(answer.status, 200, await answer.clone().text())
      assert.equal((await answer.json()).user.role, role)
    }
    const { access_token: token } = await (await signIn(demoAdmin.email)).json()
    for (const path of ['/users', '/emails', '/audit-events']) {
      const answer = await fetch(`http://localhost:${env.PORT}${path}?limit=100`, {
        headers: { authorization: `Bearer ${token}` },
      })
      assert.equal(answer.status, 200, `${path}: ${await answer.clone().text()}`)
    }
    const inUse = new CommandProcess('tools/seed.ts', env)
    const keptBusy = setInterval(() => void fetch(`http://localhost:${env.PORT}/readyz`).catch(() => {}), 500)
    const exitCode = await inUse.exitCode()
    clearInterval(keptBusy)
    assert.equal(exitCode, 1)
    assert.match(inUse.output, /^The local database is in use: stop [^\n]*\n$/)
  } finally {
    await stopCleanly(dev, 'SIGTERM')
  }
})

async function seed(): Promise<string> {
  const command = new CommandProcess('tools/seed.ts', env)
  assert.equal(await command.exitCode(), 0, command.output)
  return command.output
}

function openDatabase(): DatabaseSync {
  return new DatabaseSync(localDatabase(env.STATE_DIR), { enableForeignKeyConstraints: false })
}

function count(database: DatabaseSync, table: string): number {
  return Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
}

function rowsOf(seedNumber: number): [string, object][] {
  const rows: [string, object][] = []
  const origins = originsOf((userAgent) => userAgent.length)
  const random = new Random(seedNumber)
  const nowMs = Date.UTC(2026, 10, 22)
  for (let place = 0; place < 40; place++) {
    const put: Put = (table, row) => void rows.push([getTableName(table), row])
    putHistory(
      { random, nowMs, passwordHash: new Uint8Array(1), adminId: 'a', origins, put },
      personAt(place, random, nowMs),
    )
  }
  return rows
}
