/** `npm run reset-factors`: the way back for the owner of the only ADMIN account without a second factor. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeEach, test } from 'node:test'
import { uuidv7 } from '../../src/crypto/random.ts'
import type { Asker } from '../../tools/cloudflare/ask.ts'
import { resetFactors } from '../../tools/factors/reset.ts'
import { type Wrangler, projectRoot } from '../../tools/wrangler.ts'
import { type FakeAccount, addDatabase, emptyAccount } from './support/fake-account.ts'
import type { FakeDatabase } from './support/fake-database.ts'
import { fakeWrangler } from './support/fake-wrangler.ts'

const now = new Date(Date.UTC(2026, 11, 1, 12))
let account: FakeAccount
let database: FakeDatabase
let said: string[]
let ada: string
let bob: string

const tables = ['passkeys', 'totps', 'recovery_codes', 'sessions', 'attempt_counters', 'audit_events']
const bytes = (id: string) => `x'${id.replaceAll('-', '')}'`
const all = () =>
  Object.fromEntries([...tables, 'users'].map((table) => [table, database.run(`SELECT * FROM ${table}`)]))
const count = (table: string, id: string) =>
  Number(database.run(`SELECT count(*) AS n FROM ${table} WHERE user_id = ${bytes(id)}`)[0]?.['n'])

function addUser(email: string): string {
  const id = uuidv7(now, 0)
  const user = bytes(id)
  database.run(`INSERT INTO users (id, email, password_hash, role, status, updated_at, factors_id) VALUES (${user}, '${email}', x'ff', 2, 1, 0, ${user});
    INSERT INTO passkeys VALUES (${bytes(uuidv7(now))}, ${user}, ${user}, x'00', -7, 'example.com', 0, 1, 1, '[]', x'00', 'Passkey', 'k.mac', '[]', NULL);
    INSERT INTO totps VALUES (${user}, 'k.iv.seed', 1, 1, NULL);
    INSERT INTO recovery_codes VALUES (${user}, 'k.a'), (${user}, 'k.b');
    INSERT INTO sessions (id, user_id, device_id, generation, last_used_at, expires_at) VALUES (${bytes(uuidv7(now, 0))}, ${user}, ${user}, 1, 1, 1);
    INSERT INTO attempt_counters (key, count, allowed_at, updated_at) VALUES ('factor:${id}', 100, 1, 1), ('account:${email}', 1, 1, 1)`)
  return id
}

beforeEach(() => {
  account = emptyAccount()
  database = addDatabase(account)
  said = []
  ada = addUser('ada@example.com')
  bob = addUser('bob@example.com')
})

interface Run {
  asker?: Asker | null
  wrangler?: Wrangler
}

function reset(args: string[], { asker = null, wrangler = fakeWrangler(account).wrangler }: Run = {}) {
  return resetFactors(args, { wrangler, env: {}, asker, say: (line) => said.push(line), now: () => now })
}

test('the second factors and sessions of one account go, on record, and its password stays', async () => {
  const hash = database.run(`SELECT password_hash FROM users WHERE id = ${bytes(ada)}`)
  await reset([' Ada@Example.com', '--reason', "lost her phone; it's gone", '--yes'])
  assert.match(
    said[0] ?? '',
    /^ada@example\.com \(ADMIN, active\) has 1 passkey, 1 authenticator app, 2 recovery codes, 1 session\.$/,
  )
  assert.match(said[1] ?? '', /Nobody is mailed/)
  for (const table of ['passkeys', 'totps', 'recovery_codes', 'sessions']) {
    assert.deepEqual([count(table, ada), count(table, bob) > 0], [0, true], table)
  }
  assert.deepEqual(
    database.run('SELECT key FROM attempt_counters ORDER BY key').map(({ key }) => key),
    ['account:ada@example.com', 'account:bob@example.com', `factor:${bob}`],
  )
  const [user] = database.run(`SELECT password_hash, factors_id FROM users WHERE id = ${bytes(ada)}`)
  assert.deepEqual([user?.['password_hash'], user?.['factors_id']], [hash[0]?.['password_hash'], null])
  const events = database.run(
    'SELECT hex(id) AS id, type, hex(user_id) AS user, by_user, actor_id, detail FROM audit_events',
  )
  assert.equal(events.length, 1)
  const [{ id = '', ...event } = {}] = events
  const hexOfAda = ada.replaceAll('-', '').toUpperCase()
  const detail = JSON.stringify({ reason: "lost her phone; it's gone" })
  assert.deepEqual({ ...event }, { type: 31, user: hexOfAda, by_user: 0, actor_id: null, detail })
  assert.ok(said.at(2)?.replaceAll('-', '').toUpperCase().includes(String(id)))
})

test('nothing changes without agreement, for an unknown address, or where there is no second factor', async () => {
  const before = all()
  const reason = ['--reason', 'lost']
  const refusing: Asker = { text: async () => 'n', secret: async () => '' }
  await assert.rejects(reset(['ada@example.com', ...reason]), /Nothing was done\. Run it again with --yes/)
  await assert.rejects(reset(['ada@example.com', ...reason], { asker: refusing }), /Nothing was done/)
  await assert.rejects(reset(["x'@example.com", ...reason, '--yes']), /there is no account with this address/)
  assert.deepEqual(all(), before)
  await reset(['ada@example.com', ...reason, '--yes'])
  const after = all()
  await assert.rejects(reset(['ada@example.com', ...reason, '--yes']), /the account has no second factor/)
  assert.deepEqual(all(), after)
})

test('an account without a factor whose row still asks for one is mended', async () => {
  for (const table of ['passkeys', 'totps', 'recovery_codes']) database.run(`DELETE FROM ${table}`)
  await reset(['ada@example.com', '--reason', 'restored', '--yes'])
  assert.equal(database.run(`SELECT 1 FROM users WHERE factors_id IS NULL`).length, 1)
})

test('an account that is deleted meanwhile leaves no event', async () => {
  const { wrangler } = fakeWrangler(account)
  const deleting: Asker = {
    text: async () => {
      for (const table of ['passkeys', 'totps', 'recovery_codes', 'sessions']) database.run(`DELETE FROM ${table}`)
      database.run(`DELETE FROM users WHERE id = ${bytes(ada)}`)
      return 'y'
    },
    secret: async () => '',
  }
  await assert.rejects(reset(['ada@example.com', '--reason', 'x'], { asker: deleting, wrangler }), /deleted meanwhile/)
  assert.deepEqual(database.run('SELECT * FROM audit_events'), [])
})

test('one address and a reason of one line are asked for', async () => {
  const before = all()
  for (const args of [
    [],
    ['ada@example.com'],
    ['ada', '--reason', 'x'],
    ['ada@example.com', 'bob@example.com', '--reason', 'x'],
    ['ada@example.com', '--reason', ' '],
    ['ada@example.com', '--reason', 'a\nb'],
    ['ada@example.com', '--reason', 'x'.repeat(501)],
    ['ada@example.com', '--because', 'x'],
  ]) {
    await assert.rejects(reset([...args, '--yes']), { name: 'Stop', message: /npm run reset-factors -- ADDRESS/ })
  }
  assert.deepEqual(all(), before)
})

test('the command needs a login to Cloudflare', async () => {
  const nobody: Wrangler = async () => ({ exitCode: 1, stdout: '{"loggedIn":false}', stderr: '' })
  await assert.rejects(reset(['ada@example.com', '--reason', 'x', '--yes'], { wrangler: nobody }), /Not logged in/)
})

test('the real command shows its usage, and reports errors in words', () => {
  const script = join(projectRoot, 'tools/reset-factors.ts')
  assert.match(execFileSync(process.execPath, [script, '--help'], { encoding: 'utf8' }), /^npm run reset-factors/)
  const refused = spawnSync(process.execPath, [script, 'ada', '--reason', 'x'], { encoding: 'utf8' })
  assert.equal(refused.status, 1)
  assert.match(refused.stderr, /^ADDRESS must be one email address\.\n/)
})
