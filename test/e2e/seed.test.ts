import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { demoAdmin } from '../../tools/demo/demo-admin.ts'
import { readSeedArguments } from '../../tools/seed/arguments.ts'
import { type Row, tables } from '../../tools/seed/rows.ts'
import { putHistory } from '../../tools/seed/histories.ts'
import { personAt } from '../../tools/seed/people.ts'
import { Random } from '../../tools/seed/random.ts'
import { CommandProcess } from './support/command-process.ts'
import { freePort } from './support/free-port.ts'

const timeout = 300_000
let env: { PORT: string; MAILBOX_PORT: string; STATE_DIR: string }

before(async () => {
  const STATE_DIR = mkdtempSync(join(tmpdir(), 'postern-seed-'))
  env = { PORT: String(await freePort()), MAILBOX_PORT: String(await freePort()), STATE_DIR }
})

after(() => rmSync(env.STATE_DIR, { recursive: true, force: true }))

test('the same seed gives the same people, another seed others', () => {
  const first = rowsOf(7)
  assert.deepEqual(rowsOf(7), first)
  assert.notDeepEqual(rowsOf(8), first)
})

test('a number that is none is refused before anything is touched', () => {
  assert.deepEqual(readSeedArguments([]), { users: 500, seed: 1 })
  for (const args of [['--users', 'x'], ['--users', '0'], ['--users=-5'], ['--seed', '1.5'], ['--remote']]) {
    assert.throws(() => readSeedArguments(args), { name: 'Stop' }, args.join(' '))
  }
})

test('every status, role and fate is there, and nothing refers to what is not', { timeout }, async () => {
  await seed()
  const database = openDatabase()
  const distinct = (column: string, table: string) =>
    database
      .prepare(`SELECT DISTINCT ${column} AS it FROM ${table} WHERE it IS NOT NULL ORDER BY it`)
      .all()
      .map(({ it }) => it)
  assert.deepEqual(distinct('status', 'users'), ['active', 'pending', 'suspended'])
  assert.deepEqual(distinct('role', 'users'), ['ADMIN', 'MODERATOR', 'USER'])
  assert.deepEqual(distinct('status', 'emails'), ['failed', 'queued', 'sending', 'sent', 'skipped', 'unknown'])
  for (const table of tables) assert.ok(count(database, table) > 0, table)
  assert.deepEqual(database.prepare('PRAGMA foreign_key_check').all(), [])
  database.close()
})

test('a second run replaces the first and leaves alone who was not seeded', { timeout }, async () => {
  const database = openDatabase()
  const before = count(database, 'users')
  // Somebody of their own account, at an address that the seed would use.
  database.exec(`DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE email = 'user@example.com')`)
  database.exec(
    `UPDATE users SET id = '01900000-0000-7000-8000-000000000001', bio = 'mine' WHERE email = 'user@example.com'`,
  )
  database.close()
  const output = await seed()
  assert.match(output, /user@example\.com was there before/)
  const again = openDatabase()
  assert.equal(count(again, 'users'), before)
  const kept = again.prepare(`SELECT id, bio FROM users WHERE email = 'user@example.com'`).get()
  assert.deepEqual({ ...kept }, { id: '01900000-0000-7000-8000-000000000001', bio: 'mine' })
  again.exec(`DELETE FROM users WHERE id = '01900000-0000-7000-8000-000000000001'`)
  again.close()
  await seed()
})

test('seeded people sign in through the real server, and an ADMIN sees the others', { timeout }, async () => {
  const dev = new CommandProcess('tools/dev.ts', env)
  try {
    await dev.untilSaid('Postern runs.')
    const signIn = (email: string) =>
      fetch(`http://127.0.0.1:${env.PORT}/auth/login`, {
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
      const answer = await fetch(`http://127.0.0.1:${env.PORT}${path}?limit=100`, {
        headers: { authorization: `Bearer ${token}` },
      })
      assert.equal(answer.status, 200, `${path}: ${await answer.clone().text()}`)
    }
    const inUse = new CommandProcess('tools/seed.ts', env)
    const keptBusy = setInterval(() => void fetch(`http://127.0.0.1:${env.PORT}/readyz`).catch(() => {}), 500)
    const exitCode = await inUse.exitCode()
    clearInterval(keptBusy)
    assert.equal(exitCode, 1)
    assert.match(inUse.output, /^The local database is in use: stop [^\n]*\n$/)
  } finally {
    dev.signal('SIGTERM')
    await dev.exitCode()
  }
})

async function seed(): Promise<string> {
  const command = new CommandProcess('tools/seed.ts', env)
  assert.equal(await command.exitCode(), 0, command.output)
  return command.output
}

function openDatabase(): DatabaseSync {
  const folder = join(env.STATE_DIR, 'v3/d1/miniflare-D1DatabaseObject')
  const file = readdirSync(folder).find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name)) ?? ''
  return new DatabaseSync(join(folder, file), { enableForeignKeyConstraints: false })
}

function count(database: DatabaseSync, table: string): number {
  return Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])
}

function rowsOf(seedNumber: number): [string, Row][] {
  const rows: [string, Row][] = []
  const random = new Random(seedNumber)
  const nowMs = Date.UTC(2026, 10, 22)
  for (let place = 0; place < 40; place++) {
    const put = (table: string, row: Row) => void rows.push([table, row])
    putHistory({ random, nowMs, passwordHash: 'x', adminId: 'a', put }, personAt(place, random, nowMs))
  }
  return rows
}
