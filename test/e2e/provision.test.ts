import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { parseSigningKeys } from '../../src/crypto/keys.ts'
import type { Asker } from '../../tools/cloudflare/ask.ts'
import { type ProvisionOptions, provision } from '../../tools/cloudflare/provision.ts'
import { places, readSettings, replaceString } from '../../tools/cloudflare/wrangler-toml.ts'
import { type Wrangler, projectRoot, runWrangler } from '../../tools/wrangler.ts'
import { type FakeAccount, addVersion, emptyAccount } from './support/fake-account.ts'
import { startFakeCloudflare } from './support/fake-cloudflare.ts'
import { fakeWrangler } from './support/fake-wrangler.ts'

let directory: string
let tomlPath: string
let account: FakeAccount
let commands: string[]
let said: string[]

const original = readFileSync(join(projectRoot, 'wrangler.toml'), 'utf8')
const secretNames = ['DATA_KEYS', 'PASSWORD_PEPPER', 'RESEND_API_KEY', 'SIGNING_KEYS', 'TOKEN_KEYS']

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'provision-'))
  tomlPath = join(directory, 'wrangler.toml')
  writeFileSync(tomlPath, original)
  account = emptyAccount()
  commands = []
  said = []
})

afterEach(() => rmSync(directory, { recursive: true }))

interface Run extends Partial<ProvisionOptions> {
  wrangler?: Wrangler
  asker?: Asker
  env?: NodeJS.ProcessEnv
}

function run({ asker, env, wrangler = fakeWrangler(account).wrangler, ...options }: Run = {}) {
  return provision(
    {
      wrangler: (args, runOptions) => {
        commands.push(args.join(' '))
        return wrangler(args, runOptions)
      },
      toml: tomlPath,
      env: { RESEND_API_KEY: 're_secret_of_the_test', ...env },
      asker: asker ?? null,
      say: (line) => said.push(line),
    },
    {
      isConfirmed: true,
      isPaidPlan: true,
      publicUrl: 'https://accounts.example.com',
      saveSecretsTo: undefined,
      ...options,
    },
  )
}

function writes(): string[] {
  return commands.filter((command) => /create|bulk/.test(command))
}

test('the real wrangler creates everything once, and a second run changes nothing', async (context) => {
  const cloudflare = await startFakeCloudflare()
  context.after(() => cloudflare.stop())
  account = cloudflare.account
  const wrangler: Wrangler = (args, options) =>
    runWrangler(args.includes('--config') ? args : [...args, '--config', tomlPath], { ...options, env: cloudflare.env })

  await run({ wrangler })
  assert.deepEqual(
    account.databases.map(({ name }) => name),
    ['postern'],
  )
  assert.deepEqual(
    account.namespaces.map(({ title }) => title),
    ['postern-revocations'],
  )
  assert.deepEqual(
    account.queues.map(({ queue_name }) => queue_name),
    ['postern-mail', 'postern-mail-dead'],
  )
  assert.deepEqual(Object.keys(account.secrets ?? {}).toSorted(), secretNames)
  const toml = readFileSync(tomlPath, 'utf8')
  const { d1_databases: databases, kv_namespaces: namespaces } = await readSettings(tomlPath)
  assert.deepEqual(
    [databases[0].database_id, namespaces[0].id],
    [account.databases[0]?.uuid, account.namespaces[0]?.id],
  )

  const secrets = { ...account.secrets }
  cloudflare.calls.length = 0
  await run({ wrangler, publicUrl: undefined, env: { RESEND_API_KEY: 're_another' } })
  assert.deepEqual(
    cloudflare.calls.filter((call) => !call.startsWith('GET ')),
    [],
  )
  assert.deepEqual(account.secrets, secrets)
  assert.equal(readFileSync(tomlPath, 'utf8'), toml)
})

test('wrangler.toml changes in four values only', async () => {
  await run()
  const toml = readFileSync(tomlPath, 'utf8')
  const { vars } = await readSettings(tomlPath)
  assert.deepEqual([vars.PUBLIC_URL, vars.SECOND_FACTOR], ['https://accounts.example.com', 'staff'])
  const [before, now] = [original.split('\n'), toml.split('\n')]
  assert.equal(now.length, before.length)
  assert.equal(now.filter((line, index) => line !== before[index]).length, 4)
})

test('who must have a second factor is written for a new deployment that has not decided it', async () => {
  const setting = async () => (await readSettings(tomlPath)).vars.SECOND_FACTOR
  replaceString(tomlPath, places.secondFactor, 'all')
  await run()
  assert.equal(await setting(), 'all')
  assert.ok(!said.some((line) => line.includes('SECOND_FACTOR')))
  // A deployment that exists keeps what it does: nobody is asked for what they do not have.
  replaceString(tomlPath, places.secondFactor, '')
  await run({ publicUrl: undefined })
  assert.equal(await setting(), '')
  account = emptyAccount()
  writeFileSync(tomlPath, original.replace(/^SECOND_FACTOR = .*\n/m, ''))
  await run()
  assert.equal(await setting(), undefined)
})

test('a key set that a new version needs is added to the copy of the others', async () => {
  const copy = join(directory, 'secrets.json')
  await run({ saveSecretsTo: copy })
  const { DATA_KEYS, ...older } = account.secrets ?? {}
  account.secrets = older
  writeFileSync(copy, JSON.stringify({ ...older, OTHER: 'mine' }))
  said = []
  await run({ publicUrl: undefined, saveSecretsTo: copy })
  assert.notEqual(account.secrets['DATA_KEYS'], DATA_KEYS)
  assert.deepEqual(JSON.parse(readFileSync(copy, 'utf8')), { ...account.secrets, OTHER: 'mine' })
  assert.equal(statSync(copy).mode & 0o777, 0o600)
  assert.ok(said.some((line) => line.includes('its DATA_KEYS do not')))

  for (const text of ['{"OTHER":"mine"}', "TOKEN_KEYS='x'\n", JSON.stringify({ ...older, DATA_KEYS: 'x' })]) {
    account.secrets = older
    writeFileSync(copy, text)
    await assert.rejects(run({ publicUrl: undefined, saveSecretsTo: copy }), /cannot be saved to .*: the file exists/)
    assert.equal(readFileSync(copy, 'utf8'), text)
  }
})

test('with --audit-archive the real wrangler makes the bucket once, and wrangler.toml binds it', async (context) => {
  const cloudflare = await startFakeCloudflare()
  context.after(() => cloudflare.stop())
  account = cloudflare.account
  const wrangler: Wrangler = (args, options) =>
    runWrangler(args.includes('--config') ? args : [...args, '--config', tomlPath], { ...options, env: cloudflare.env })
  await run({ wrangler, hasAuditArchive: true })
  assert.deepEqual(account.buckets, ['postern-audit'])
  assert.deepEqual(
    (await readSettings(tomlPath)).r2_buckets?.map(({ binding, bucket_name }) => [binding, bucket_name]),
    [['AUDIT_ARCHIVE', 'postern-audit']],
  )
  cloudflare.calls.length = 0
  await run({ wrangler, publicUrl: undefined })
  assert.deepEqual(
    cloudflare.calls.filter((call) => !call.startsWith('GET ')),
    [],
  )
})

test('without --audit-archive R2 is not even asked', async () => {
  account.buckets = null
  await run()
  assert.ok(!commands.some((each) => each.startsWith('r2')))
  await assert.rejects(run({ hasAuditArchive: true }), /Please enable R2/)
})

test('a bucket that exists is taken only when wrangler.toml binds it', async () => {
  account.buckets = ['postern-audit']
  await assert.rejects(run({ hasAuditArchive: true }), /there is an R2 bucket "postern-audit"/)
  assert.deepEqual(writes(), [])
  writeFileSync(
    tomlPath,
    original.replace('# [[r2', '[[r2').replace('# binding', 'binding').replace('# bucket', 'bucket'),
  )
  await run()
  assert.deepEqual(account.buckets, ['postern-audit'])
  // The list shows twenty buckets of an account that has more.
  const shortList: Wrangler = (args, options) =>
    args.join(' ') === 'r2 bucket list'
      ? Promise.resolve({ exitCode: 0, stdout: '', stderr: '' })
      : fakeWrangler(account).wrangler(args, options)
  await run({ wrangler: shortList })
  assert.deepEqual(account.buckets, ['postern-audit'])
})

test('no secret is printed or passed as an argument', async () => {
  await run()
  for (const value of Object.values(account.secrets ?? {})) {
    assert.ok(value.length > 10)
    assert.ok(![...said, ...commands].join('\n').includes(value))
  }
})

for (const { asked, made } of [
  { asked: undefined, made: 'EdDSA' },
  { asked: 'EdDSA', made: 'EdDSA' },
  { asked: 'ES256', made: 'ES256' },
]) {
  test(`the first signing key, asked for as ${asked}, is one that the service reads as ${made}`, async () => {
    await run({ algorithm: asked })
    const [key, ...others] = await parseSigningKeys(account.secrets?.['SIGNING_KEYS'] ?? '')
    assert.deepEqual([key.publicJwk.alg, others.length], [made, 0])
  })
}

test('the database and the namespace are created where the operator says', async () => {
  await run({ jurisdiction: 'eu' })
  assert.deepEqual(writes().slice(0, 2), [
    'd1 create postern --jurisdiction=eu',
    'kv namespace create postern-revocations --jurisdiction=eu',
  ])
  assert.ok(said.some((line) => line.includes('--jurisdiction=eu, for good')))
  account = emptyAccount()
  writeFileSync(tomlPath, original)
  commands = []
  await run({ location: 'weur' })
  assert.deepEqual(writes().slice(0, 2), [
    'd1 create postern --location=weur',
    'kv namespace create postern-revocations',
  ])
})

test('a place that does not exist, or comes too late, is refused before anything is made', async () => {
  await assert.rejects(run({ location: 'mars' }), /--location must be one of weur, .*, not "mars"/)
  await assert.rejects(run({ jurisdiction: 'weur' }), /--jurisdiction must be one of eu, us, fedramp, not "weur"/)
  await assert.rejects(run({ location: 'weur', jurisdiction: 'eu' }), /choose one/)
  assert.deepEqual(writes(), [])
  account.namespaces.push({ id: '2'.repeat(32), title: 'postern-revocations' })
  await assert.rejects(run({ jurisdiction: 'eu' }), /The KV namespace exists/)
  await run({ location: 'weur' })
  commands = []
  await assert.rejects(run({ location: 'weur' }), /Nothing was done\. The database exists/)
  assert.deepEqual(writes(), [])
})

test('an algorithm that does not exist, or would change nothing, is refused before anything is made', async () => {
  await assert.rejects(run({ algorithm: 'RS256' }), /--algorithm must be EdDSA or ES256, not "RS256"/)
  assert.deepEqual(commands, [])
  await run()
  const before = structuredClone(account)
  commands = []
  await assert.rejects(run({ algorithm: 'ES256' }), /Nothing was done\. .*npm run keys -- announce SIGNING_KEYS/)
  assert.deepEqual(writes(), [])
  assert.deepEqual(account, before)
})

test('the plan comes first, and nothing is created without confirmation', async () => {
  await assert.rejects(run({ isConfirmed: false }), /Nothing was done\. Run it again with --yes/)
  const refusing: Asker = { text: async () => 'n', secret: async () => '' }
  await assert.rejects(run({ isConfirmed: false, asker: refusing }), /Nothing was done/)
  assert.deepEqual(writes(), [])
  assert.equal(readFileSync(tomlPath, 'utf8'), original)
  const plan = said.join('\n')
  for (const part of [
    'create  D1 database "postern"',
    'create  KV namespace "postern-revocations"',
    'create  queue "postern-mail"',
    'create  queue "postern-mail-dead"',
    'upload  secret SIGNING_KEYS',
    'PUBLIC_URL = "https://accounts.example.com"',
    'without --save-secrets you keep no copy',
  ]) {
    assert.ok(plan.includes(part), part)
  }
})

test('after a failed run, existing resources are reused by name', async () => {
  account.databases = [{ name: 'postern', uuid: '11111111-1111-4111-8111-111111111111' }]
  account.queues = ['a', 'b', 'c', 'postern-mail'].map((name) => ({ queue_id: name, queue_name: name }))
  account.secrets = { TOKEN_KEYS: 'the old one' }
  await run()
  assert.equal(account.databases.length, 1)
  assert.equal((await readSettings(tomlPath)).d1_databases[0].database_id, account.databases[0]?.uuid)
  assert.deepEqual(
    account.queues.map(({ queue_name }) => queue_name),
    ['a', 'b', 'c', 'postern-mail', 'postern-mail-dead'],
  )
  assert.equal(account.secrets?.['TOKEN_KEYS'], 'the old one')
  assert.deepEqual(Object.keys(account.secrets ?? {}).toSorted(), secretNames)
  assert.ok(said.some((line) => line.includes('Passwords of existing accounts will be refused')))
})

test('an id of another account stops the run before anything is created', async () => {
  writeFileSync(tomlPath, original.replace(/^id = ".*"/m, `id = "${'1'.repeat(32)}"`))
  await assert.rejects(run(), /KV namespace .* is not in this Cloudflare account/)
  assert.deepEqual(writes(), [])
})

test('nothing is created without a public URL or a Resend key', async () => {
  await assert.rejects(run({ publicUrl: undefined }), /--public-url/)
  await assert.rejects(run({ publicUrl: 'http://accounts.example.com' }), /https origin/)
  await assert.rejects(run({ publicUrl: 'https://accounts.example.com/path' }), /https origin/)
  await assert.rejects(run({ env: { RESEND_API_KEY: ' ' } }), /RESEND_API_KEY is not set/)
  assert.deepEqual(writes(), [])
})

test('missing values are asked for', async () => {
  const asked: string[] = []
  const person: Asker = {
    text: async (question) => {
      asked.push(question)
      return question.startsWith('Go ahead') ? 'y' : 'https://id.example.com/'
    },
    secret: async (question) => {
      asked.push(question)
      return 're_typed'
    },
  }
  await run({ isConfirmed: false, publicUrl: undefined, asker: person, env: { RESEND_API_KEY: '' } })
  assert.equal(asked.length, 3)
  assert.equal(account.secrets?.['RESEND_API_KEY'], 're_typed')
  assert.equal((await readSettings(tomlPath)).vars.PUBLIC_URL, 'https://id.example.com')
})

test('a copy of the secrets is private to its owner and overwrites no file', async () => {
  const copy = join(directory, 'secrets.json')
  await run({ saveSecretsTo: copy })
  assert.deepEqual(JSON.parse(readFileSync(copy, 'utf8')), account.secrets)
  assert.equal(statSync(copy).mode & 0o777, 0o600)
  account.secrets = null
  const before = structuredClone(account)
  await assert.rejects(run({ saveSecretsTo: copy }), /cannot be saved to .*: the file exists/)
  assert.deepEqual(account, before, 'nothing was created')
})

test('a missing login is reported on one line', async () => {
  const wrangler = async () => ({ exitCode: 1, stdout: '\n{"loggedIn":false}\n', stderr: '' })
  const around = {
    wrangler,
    toml: tomlPath,
    env: {},
    asker: null,
    say: assert.fail,
  }
  await assert.rejects(
    provision(around, { isConfirmed: true, isPaidPlan: true, publicUrl: undefined, saveSecretsTo: undefined }),
    (error) => error instanceof Error && /^Not logged in to Cloudflare: .*$/.test(error.message),
  )
})

test('the plan of the account is asked before anything is made', async () => {
  await assert.rejects(
    run({ isPaidPlan: false }),
    /Nothing was done\. Postern needs the Workers Paid plan.*--workers-paid/,
  )
  const answers: string[] = []
  const person = (answer: string): Asker => ({
    text: async (question) => {
      answers.push(question)
      return answer
    },
    secret: async () => 're_typed',
  })
  await assert.rejects(run({ isPaidPlan: false, asker: person('n') }), /Nothing was done/)
  assert.match(answers[0] ?? '', /Workers Paid plan.*Is this account on it\? \[y\/N\]/)
  assert.deepEqual(writes(), [])
  assert.equal(readFileSync(tomlPath, 'utf8'), original)
  await run({ isPaidPlan: false, asker: person('y') })
  assert.equal(account.databases.length, 1)
})

const id = '11111111-1111-4111-8111-111111111111'
const ours = { tables: ['d1_migrations', 'users'], migrations: ['0000_accounts.sql'] }

const strangers: { what: string; holds: Partial<FakeAccount>; says: RegExp }[] = [
  {
    what: 'a database with other tables',
    holds: { databases: [{ name: 'postern', uuid: id, tables: ['orders', 'invoices'] }] },
    says: /D1 database "postern" holds other tables: orders, invoices/,
  },
  {
    what: 'a database that another program migrates',
    holds: {
      databases: [{ name: 'postern', uuid: id, tables: ['d1_migrations', 'users'], migrations: ['0001_x.sql'] }],
    },
    says: /D1 database "postern"/,
  },
  {
    what: 'a database with our migrations and others',
    holds: {
      databases: [{ name: 'postern', uuid: id, ...ours, migrations: ['0000_accounts.sql', '0009_orders.sql'] }],
    },
    says: /D1 database "postern"/,
  },
  {
    what: 'a KV namespace with other keys',
    holds: { namespaces: [{ title: 'postern-revocations', id: '1'.repeat(32), keys: ['session:a', 'cache/x'] }] },
    says: /KV namespace "postern-revocations" holds other keys: cache\/x/,
  },
  {
    what: 'a queue of another Worker',
    holds: { queues: [{ queue_id: 'q', queue_name: 'postern-mail', worker: 'newsletter' }] },
    says: /queue "postern-mail" is used by another Worker: newsletter/,
  },
  {
    what: 'a dead-letter queue of another Worker',
    holds: { queues: [{ queue_id: 'q', queue_name: 'postern-mail-dead', worker: 'newsletter' }] },
    says: /queue "postern-mail-dead"/,
  },
  {
    what: 'a Worker with other secrets',
    holds: { secrets: { STRIPE_KEY: 'x', TOKEN_KEYS: 'y' } },
    says: /Worker "postern" has other secrets: STRIPE_KEY/,
  },
]

for (const { what, holds, says } of strangers) {
  test(`${what} is not taken for ours, and nothing is made`, async () => {
    Object.assign(account, holds)
    const before = structuredClone(account)
    await assert.rejects(run(), says)
    await assert.rejects(run(), /^Stop: Nothing was done: /)
    assert.deepEqual(account, before)
    assert.deepEqual(writes(), [])
    assert.equal(readFileSync(tomlPath, 'utf8'), original)
  })
}

test('after a restore into another database, the run says so', async () => {
  account.databases = [
    { name: 'postern', uuid: id, ...ours },
    { name: 'postern-restored', uuid: id.replaceAll('1', '2'), ...ours },
    { name: 'posterns', uuid: id.replaceAll('1', '3') },
  ]
  await run()
  assert.match(said.join('\n'), /has the D1 database "postern-restored", too\. If the service was restored into it/)
  said = []
  replaceString(tomlPath, places.databaseId, account.databases[1]?.uuid ?? '')
  await run()
  assert.match(said.join('\n'), /keep {4}D1 database "postern-restored"/)
  assert.match(said.join('\n'), /Note: The database is "postern-restored", by its id\. Set database_name/)
  assert.equal((await readSettings(tomlPath)).d1_databases[0].database_id, account.databases[1]?.uuid)
})

test('what is empty or ours is taken, with the Worker of an interrupted run', async () => {
  account.databases = [{ name: 'postern', uuid: id, ...ours }]
  account.namespaces = [{ title: 'postern-revocations', id: '1'.repeat(32), keys: ['session:a'] }]
  account.queues = [{ queue_id: 'q', queue_name: 'postern-mail', worker: 'postern' }]
  account.secrets = { TOKEN_KEYS: 'x', TURNSTILE_SECRET: 'y' }
  addVersion(account, true)
  await run()
  assert.equal((await readSettings(tomlPath)).d1_databases[0].database_id, id)
  assert.deepEqual(account.databases.length, 1)
})

test('a dataset for metrics is bound when asked for, and once', async () => {
  await run({ hasMetrics: true })
  const bound = readFileSync(tomlPath, 'utf8')
  assert.match(bound, /^\[\[analytics_engine_datasets\]\]\nbinding = "METRICS"\ndataset = "postern"$/m)
  assert.ok(said.some((line) => line.includes('METRICS')))
  await readSettings(tomlPath)
  said = []
  await run({ hasMetrics: true })
  assert.equal(readFileSync(tomlPath, 'utf8'), bound)
  assert.ok(!said.some((line) => line.includes('METRICS')))
})

test('no dataset is bound without being asked for', async () => {
  await run()
  assert.match(readFileSync(tomlPath, 'utf8'), /^# \[\[analytics_engine_datasets\]\]$/m)
})
