import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { deploy } from '../../tools/cloudflare/deploy.ts'
import { walkedTables } from '../../tools/cloudflare/schema.ts'
import { type Place, places, replaceString } from '../../tools/cloudflare/wrangler-toml.ts'
import { migrationsFolder } from '../../tools/migrations.ts'
import { type Outcome, projectRoot } from '../../tools/wrangler.ts'

const directory = mkdtempSync(join(tmpdir(), 'deploy-'))
after(() => rmSync(directory, { recursive: true }))

const provisioned = [
  [places.databaseId, '11111111-1111-4111-8111-111111111111'],
  [places.kvId, '1'.repeat(32)],
  [places.publicUrl, 'https://accounts.example.com'],
] as const

/** A copy of wrangler.toml with some of the values that provisioning writes. */
function tomlWith(values: readonly (readonly [Place, string])[]): string {
  const path = join(directory, 'wrangler.toml')
  copyFileSync(join(projectRoot, 'wrangler.toml'), path)
  for (const [place, value] of values) replaceString(path, place, value)
  return path
}

const secrets = ['SIGNING_KEYS', 'TOKEN_KEYS', 'PASSWORD_PEPPER', 'DATA_KEYS', 'RESEND_API_KEY'].map((name) => ({
  name,
}))
const select = (sql: string) => `d1 execute DB --remote --json --command ${sql}`
const tableQuery = select("SELECT name FROM sqlite_master WHERE name = 'd1_migrations'")
const migrationsQuery = select('SELECT name FROM d1_migrations ORDER BY id')
const rows = (...results: object[]) => ({ stdout: JSON.stringify([{ results }]) })

const good: Record<string, Partial<Outcome>> = {
  'whoami --json': { stdout: '{"loggedIn":true,"accounts":[{"id":"a","name":"A"}]}' },
  'secret list': { stdout: JSON.stringify(secrets) },
  [tableQuery]: rows({ name: 'd1_migrations' }),
  [migrationsQuery]: rows({ name: '0000_accounts.sql' }),
  'd1 time-travel info DB --json': { stdout: '{"bookmark":"00000085-0000024c"}' },
  'd1 migrations apply DB --remote': {},
  deploy: {},
}

interface Migrating {
  migrations: string
  /** What the person at the terminal says. Nobody is there without it. */
  answer: string
  isConfirmed: boolean
}

/** Deploys with a wrangler that gives the answers of the test, and records its commands. */
async function run(
  answers: Record<string, Partial<Outcome>> = {},
  toml = tomlWith(provisioned),
  ready: [number, unknown][] = [[200, { status: 'ok' }]],
  { migrations = migrationsFolder, answer, isConfirmed = false }: Partial<Migrating> = {},
) {
  const commands: string[] = []
  const said: string[] = []
  const around = {
    wrangler: async (args: readonly string[]) => {
      const command = args.join(' ')
      commands.push(command)
      const outcome = { ...good, ...answers }[command]
      assert.ok(outcome, `an unexpected command: ${command}`)
      return { exitCode: 0, stdout: '', stderr: '', ...outcome }
    },
    toml,
    migrations,
    env: {},
    asker: answer === undefined ? null : { text: async () => answer, secret: async () => '' },
    say: (line: string) => said.push(line),
    fetch: async () => {
      const [status, body] = (ready.length > 1 ? ready.shift() : ready[0]) ?? [500, 'none']
      return Response.json(body, { status })
    },
    sleep: async () => undefined,
  }
  const failure = await deploy(around, { isConfirmed }).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
  return { commands, said: said.join('\n'), failure }
}

test('the database is migrated first, after its Time Travel bookmark was printed', async () => {
  const { commands, said, failure } = await run()
  assert.equal(failure, undefined)
  assert.deepEqual(commands.slice(4), ['d1 time-travel info DB --json', 'd1 migrations apply DB --remote', 'deploy'])
  assert.ok(said.includes('time-travel restore DB --bookmark=00000085-0000024c'))
})

test('nothing is deployed before wrangler.toml is provisioned', async () => {
  for (const left of provisioned) {
    const { commands, failure } = await run({}, tomlWith(provisioned.filter((each) => each !== left)))
    assert.match(failure ?? '', /npm run provision/)
    assert.ok(!failure?.includes('\n'))
    assert.deepEqual(commands, ['whoami --json'])
  }
})

test('a missing login is reported on one line', async () => {
  const { commands, failure } = await run({ 'whoami --json': { exitCode: 1, stdout: '{"loggedIn":false}' } })
  assert.match(failure ?? '', /^Not logged in to Cloudflare: .+$/)
  assert.deepEqual(commands, ['whoami --json'])
})

test('a refused login and an ambiguous account are reported on one line', async () => {
  const refused = await run({
    'whoami --json': { exitCode: 1, stderr: '\n✘ [ERROR] Invalid API token [code: 1000]\n\nMore.' },
  })
  assert.equal(refused.failure, 'Cloudflare refused this login: Invalid API token [code: 1000]')
  const accounts = [
    { id: 'a', name: 'A' },
    { id: 'b', name: 'B' },
  ]
  const several = await run({ 'whoami --json': { stdout: JSON.stringify({ loggedIn: true, accounts }) } })
  assert.match(several.failure ?? '', /CLOUDFLARE_ACCOUNT_ID to one of a \(A\), b \(B\)/)
})

test('a Worker without its secrets is not deployed', async () => {
  const some = await run({ 'secret list': { stdout: JSON.stringify(secrets.slice(1)) } })
  assert.match(some.failure ?? '', /has no SIGNING_KEYS/)
  const none = await run({ 'secret list': { exitCode: 1, stderr: '✘ [ERROR] Worker "postern" not found.' } })
  assert.match(none.failure ?? '', /has no SIGNING_KEYS, TOKEN_KEYS, PASSWORD_PEPPER, DATA_KEYS, RESEND_API_KEY/)
  for (const { commands } of [some, none]) assert.ok(!commands.includes('deploy'))
})

test('a failed migration stops the deployment', async () => {
  const { commands, failure } = await run({ 'd1 migrations apply DB --remote': { exitCode: 1 } })
  assert.match(failure ?? '', /migrations failed; nothing was deployed/)
  assert.ok(!commands.includes('deploy'))
})

const replicasOn = [...provisioned, [{ table: 'vars', key: 'READ_REPLICAS' }, 'true']] as const
const info = 'd1 info postern --json'

for (const [what, outcome, said] of [
  ['has replicas', { stdout: '{"read_replication":{"mode":"auto"}}' }, undefined],
  [
    'has none',
    { stdout: '{"read_replication":{"mode":"disabled"}}' },
    /READ_REPLICAS is "true", but the database has none/,
  ],
  ['says nothing', { exitCode: 1 }, /Cloudflare did not say whether the database has any/],
] as const) {
  test(`a deployment that reads replicas goes on where the database ${what}`, async () => {
    const outcomes = await run({ [info]: outcome }, tomlWith(replicasOn))
    assert.equal(outcomes.failure, undefined)
    assert.ok(outcomes.commands.includes(info) && outcomes.commands.includes('deploy'))
    if (said) assert.match(outcomes.said, said)
    else assert.ok(!outcomes.said.includes('READ_REPLICAS'))
  })
}

test('a missing bookmark does not prevent the deployment', async () => {
  const { failure, said } = await run({ 'd1 time-travel info DB --json': { exitCode: 1 } })
  assert.equal(failure, undefined)
  assert.match(said, /no Time Travel bookmark/)
})

test('a deployment says what the Worker finds, and fails when it is not ready', async () => {
  const checks = { config: 'ok', d1: 'behind', kv: 'ok' }
  const behind = [503, { status: 'unavailable', checks, missing_migrations: ['0005_password_id.sql'] }] as [
    number,
    unknown,
  ]
  const well = await run()
  assert.equal(well.failure, undefined)
  assert.match(well.said, /https:\/\/accounts\.example\.com\/readyz says that it is ready\./)
  const warned = await run({}, undefined, [[200, { status: 'ok', checks, warnings: ['second_factor_unset'] }]])
  assert.match(warned.said, /readyz says that it is ready, and warns: second_factor_unset\./)
  const late = await run({}, undefined, [[522, 'no'], behind, [200, { status: 'ok' }]])
  assert.equal(late.failure, undefined)
  assert.match(late.said, /says: status 522\. Asking again[^]*says that it is ready/)
  const { failure } = await run({}, undefined, [behind])
  assert.match(failure ?? '', /^The Worker is deployed and not ready\. /)
  assert.match(failure ?? '', /unavailable \(config ok, d1 behind, kv ok, missing 0005_password_id\.sql\)$/)
  const closed = await run({}, undefined, [[503, { status: 'maintenance', checks: { ...checks, d1: 'ok' } }]])
  assert.equal(closed.failure, undefined)
  assert.match(closed.said, /says: maintenance \(/)
})

test('a refused deployment shows the reason of Cloudflare', async () => {
  const stderr =
    '\n✘ [ERROR] A request to the Cloudflare API (/accounts/f/workers/scripts/postern) failed.\n\n  CPU limits are not supported for the Free plan. [code: 100328]\n  \n  If you think this is a bug, please open an issue\n'
  const { failure } = await run({ deploy: { exitCode: 1, stderr } })
  assert.match(failure ?? '', /The reason: CPU limits are not supported for the Free plan\. \[code: 100328\]$/)
})

test('a database of other migrations is left alone, with a word on what to do', async () => {
  const { commands, failure } = await run({
    [migrationsQuery]: rows({ name: '0000_init.sql' }, { name: '0001_abuse_limits.sql' }),
  })
  assert.match(
    failure ?? '',
    /^Nothing was done: [^\n]*another version of Postern \(0000_init\.sql, …\)[^\n]*docs\/operations\.md/,
  )
  assert.equal(commands.at(-1), migrationsQuery)
})

test('an empty database, and one with newer migrations than the code, are deployed to', async () => {
  const empty = await run({ [tableQuery]: rows() })
  assert.equal(empty.failure, undefined)
  assert.ok(!empty.commands.includes(migrationsQuery))
  const newer = await run({ [migrationsQuery]: rows({ name: '0000_accounts.sql' }, { name: '0999_newer.sql' }) })
  assert.equal(newer.failure, undefined)
})

test('a migration that walks through a large table asks first', async () => {
  const migrations = join(directory, 'migrations')
  mkdirSync(migrations)
  writeFileSync(join(migrations, '0000_accounts.sql'), 'CREATE TABLE `sessions` (`id` blob);')
  writeFileSync(join(migrations, '0001_devices.sql'), 'CREATE INDEX `sessions_device` ON `sessions` (`device_id`);')
  const count = select('SELECT count(*) AS n FROM (SELECT 1 FROM sessions LIMIT 1000000)')
  const tryIt = (n: number, more: Partial<Migrating> = {}) =>
    run({ [count]: rows({ n }) }, undefined, undefined, { migrations, ...more })

  const small = await tryIt(999_999)
  assert.equal(small.failure, undefined)
  assert.ok(!small.said.includes('sessions'))

  for (const more of [{}, { answer: 'n' }]) {
    const large = await tryIt(1_000_000, more)
    assert.match(large.said, /^sessions has a million rows or more: CREATE INDEX$/m)
    assert.match(large.failure ?? '', /^Nothing was done\./)
    assert.equal(large.commands.at(-1), count)
  }
  assert.match((await tryIt(1_000_000)).failure ?? '', /--yes-large/)
  for (const more of [{ answer: 'y' }, { isConfirmed: true }]) {
    assert.equal((await tryIt(1_000_000, more)).commands.at(-1), 'deploy')
  }
})

test('the statements that walk through a table are known, and a new table has no rows', () => {
  const walked = (sql: string) => Object.fromEntries(walkedTables(sql))
  assert.deepEqual(walked('ALTER TABLE `users` ADD `x` text;'), {})
  assert.deepEqual(walked('CREATE TABLE `a` (`id` blob);\nCREATE UNIQUE INDEX `a_id` ON `a` (`id`);'), {})
  assert.deepEqual(walked('CREATE UNIQUE INDEX `u` ON `users` (`email`);'), { users: ['CREATE INDEX'] })
  assert.deepEqual(walked('ALTER TABLE users DROP COLUMN bio;'), { users: ['DROP COLUMN'] })
  assert.deepEqual(walked('UPDATE `users` SET bio = null; delete from emails;'), {
    users: ['UPDATE'],
    emails: ['DELETE'],
  })
  assert.deepEqual(walked('INSERT INTO `new` SELECT id,\n email FROM users;'), { users: ['SELECT'] })
})
