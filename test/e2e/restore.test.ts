/** Both restores, command by command as the document writes them, and what has to be redone afterwards. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { places, replaceString } from '../../tools/cloudflare/wrangler-toml.ts'
import { projectRoot } from '../../tools/wrangler.ts'
import { section } from './support/documents.ts'
import { FakeDatabase } from './support/fake-database.ts'
import { type Runbook, commandsOf, openRunbook } from './support/runbook.ts'

const timeout = 600_000
let runbook: Runbook

beforeEach(async () => {
  runbook = await openRunbook('restore')
})
afterEach(() => runbook?.close())

const isClosed = () => runbook.account.upload?.includes('"name":"MAINTENANCE","type":"plain_text","text":"true"')

test('the restore under maintenance, in the same database', { timeout }, async () => {
  const { account, perform } = runbook
  for (const command of commandsOf('Back-up and restore')) {
    if (/d1 create|--file/.test(command)) continue
    await perform(command)
    if (command.includes('MAINTENANCE:true')) assert.ok(isClosed(), account.upload)
    if (/time-travel restore|DELETE FROM sessions/.test(command)) assert.ok(isClosed(), 'nobody is served')
    if (/time-travel restore/.test(command)) assert.ok(account.isMailPaused, 'no email is delivered')
  }
  assert.ok(account.upload?.includes('"name":"MAINTENANCE","type":"plain_text","text":"false"'), 'it serves again')
  assert.ok(!account.isMailPaused)
  const statements = (account.statements ?? []).join('\n')
  assert.match(statements, /FROM audit_events WHERE id >= unhex[^]*restore[^]*DELETE FROM sessions/)
})

function migrated(): FakeDatabase {
  const database = new FakeDatabase()
  database.run(
    'CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP)',
  )
  const names = readdirSync(join(projectRoot, 'migrations'))
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
  for (const name of names) {
    database.run(readFileSync(join(projectRoot, 'migrations', name), 'utf8'))
    database.run(`INSERT INTO d1_migrations (name) VALUES ('${name}')`)
  }
  return database
}

const people = ['deleted', 'suspended', 'promoted', 'changed', 'recovered', 'moved', 'reverted', 'untouched'] as const
type Person = (typeof people)[number]
/** The id of a person as SQL spells it. */
const idOf = (person: Person) => `x'${people.indexOf(person).toString(16).padStart(32, '0')}'`

/** Everybody is active, has a session, a link, an email that waits, a registration that was not used, and second factors. */
function populate(database: FakeDatabase): void {
  for (const person of people) {
    const [id, email] = [idOf(person), `'${person}@example.com'`]
    database.run(`
      INSERT INTO users (id, email, password_hash, role, status, updated_at, factors_id, trust_number)
        VALUES (${id}, ${email}, x'ff', 0, 1, 1, ${id}, 1);
      INSERT INTO sessions (id, user_id, device_id, generation, last_used_at, expires_at)
        VALUES (${id}, ${id}, ${id}, 1, 1, 1);
      INSERT INTO one_time_links (id, purpose, user_id, created_at, expires_at)
        VALUES (${id}, 2, ${id}, 1, 1);
      INSERT INTO registrations (id, email, password_hash) VALUES (${id}, ${email}, x'ff');
      INSERT INTO emails (id, template, recipient, budget, params, status, attempts, due_at, announce_at)
        VALUES (${id}, 'x', ${email}, 'x', '{}', 0, 0, 1, 1);
      INSERT INTO passkeys VALUES (${id}, ${id}, ${id}, x'00', -7, 'x', 0, 1, 1, '[]', ${id}, 'x', 'k.mac', '[]', NULL);
      INSERT INTO totps VALUES (${id}, 'k.iv.seed', 1, 1, NULL);
      INSERT INTO recovery_codes VALUES (${id}, 'k.mac');
      INSERT INTO email_changes (user_id, link_id, new_email, old_email, expires_at, revert_until)
        VALUES (${id}, ${id}, 'new@example.com', ${email}, 1, 1)`)
  }
}

const usersOf = (database: FakeDatabase) =>
  database.run('SELECT email, role, status, hex(password_hash) AS hash, suspended_by_role FROM users ORDER BY email')

/** The statements of the step that redoes what `since.json` says, by the types of events. */
function redoing(): { events: string[]; statements: string[] }[] {
  const [, step = ''] = section('docs/operations.md', 'Back-up and restore').split('\n5. ')
  const [list = ''] = step.split('\n6. ')
  return list
    .split('\n   - ')
    .slice(1)
    .map((item) => {
      const codes = Array.from(item.matchAll(/`([^`]+)`/g), ([, code = '']) => code.replaceAll(/\s+/g, ' '))
      return {
        events: codes.filter((code) => /^user\.\w+$/.test(code)),
        statements: codes.filter((code) => /^(UPDATE|DELETE) /.test(code)),
      }
    })
}

test('the restore into a new database, from an export, with everything that is redone', { timeout }, async () => {
  const { account, databaseId, toml, perform } = runbook
  const old = migrated()
  populate(old)
  account.stores.set(databaseId, old)
  const before = old.export()
  const done: string[] = []
  for (const command of commandsOf('Back-up and restore')) {
    // The other way to restore, in the same database.
    if (/time-travel restore/.test(command)) continue
    if (command.startsWith('npm run deploy')) redo(account.stores.get(account.databases[1]?.uuid ?? ''))
    await perform(command)
    done.push(command)
    if (!command.includes('d1 create')) continue
    const { uuid, name } = account.databases[1] ?? assert.fail('no database')
    account.stores.set(uuid, new FakeDatabase())
    replaceString(toml, places.databaseId, uuid)
    replaceString(toml, { table: 'd1_databases', key: 'database_name' }, name)
  }
  assert.ok(done.some((command) => command.includes('--file postern.sql')))
  const { uuid } = account.databases[1] ?? assert.fail('no database')
  assert.ok(account.upload?.includes(uuid), 'the Worker is deployed with the new database')
  assert.equal(old.export(), before, 'the old database stays as it was')

  const restored = account.stores.get(uuid) ?? assert.fail('no store')
  for (const table of ['sessions', 'one_time_links']) assert.deepEqual(restored.run(`SELECT * FROM ${table}`), [])
  assert.deepEqual(restored.run('SELECT id FROM emails WHERE status <> 3 OR finished_at IS NULL'), [])
  const applied = restored.run('SELECT name FROM d1_migrations').length
  assert.equal(applied, migrated().run('SELECT name FROM d1_migrations').length)
  const active = { role: 0, status: 1, hash: 'FF', suspended_by_role: null }
  assert.deepEqual(
    usersOf(restored).map((row) => ({ ...row })),
    [
      { ...active, email: 'changed@example.com', hash: '' },
      { ...active, email: 'moved.since@example.com' },
      { ...active, email: 'promoted@example.com', role: 2 },
      { ...active, email: 'recovered@example.com' },
      { ...active, email: 'reverted.since@example.com', hash: '' },
      { ...active, email: 'suspended@example.com', status: 2, suspended_by_role: 2 },
      { ...active, email: 'untouched@example.com' },
    ],
  )
  assert.deepEqual(restored.run(`SELECT id FROM registrations WHERE email LIKE 'deleted@%'`), [])
  const withCode = restored.run('SELECT email FROM users JOIN recovery_codes ON user_id = id ORDER BY email')
  assert.deepEqual(
    withCode.map(({ email }) => String(email).split('@')[0]),
    ['changed', 'moved.since', 'promoted', 'reverted.since', 'suspended', 'untouched'],
  )
  const isVoid = 'SELECT count(*) AS count FROM users WHERE trust_number > 1000'
  assert.equal(restored.run(isVoid)[0]?.['count'], people.length - 1, 'no device is trusted')
  assert.deepEqual(restored.run(`SELECT user_id FROM email_changes WHERE user_id = ${idOf('reverted')}`), [])
})

function redo(database: FakeDatabase | undefined): void {
  assert.ok(database)
  const concerned: Record<string, Person> = {
    'user.deleted': 'deleted',
    'user.suspended': 'suspended',
    'user.role_changed': 'promoted',
    'user.password_changed': 'changed',
    'user.recovery_code_used': 'recovered',
    'user.email_changed': 'moved',
    'user.email_change_reverted': 'reverted',
  }
  const items = redoing()
  for (const [event, person] of Object.entries(concerned)) {
    const { statements } = items.find(({ events }) => events.includes(event)) ?? assert.fail(event)
    assert.ok(statements.length > 0, event)
    for (const sql of statements) {
      const address = `email = '${person}.since@example.com'`
      database.run(sql.replace('role = …', 'role = 2').replace("email = '…'", address).replace("x'…'", idOf(person)))
    }
  }
  assert.deepEqual(
    items.flatMap(({ events }) => events).filter((event) => !(event in concerned)),
    ['user.password_reset', 'user.factor_removed', 'user.factors_reset', 'user.recovery_codes_renewed'],
  )
}
