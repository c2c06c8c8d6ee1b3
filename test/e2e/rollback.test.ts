/** Going back to an earlier version, and changing a key afterwards. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { rollback } from '../../tools/cloudflare/rollback.ts'
import { manageKeys } from '../../tools/keys/command.ts'
import { generateSecrets } from '../../tools/keys/generate.ts'
import { type Wrangler, WranglerFailure, failed, reasonOf } from '../../tools/wrangler.ts'
import { type FakeAccount, addVersion, changeSecrets, emptyAccount } from './support/fake-account.ts'
import { fakeWrangler } from './support/fake-wrangler.ts'

let directory: string
let file: string
let account: FakeAccount
let said: string[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rollback-'))
  file = join(directory, 'postern-secrets.json')
  account = { ...emptyAccount(), secrets: { ...generateSecrets(), RESEND_API_KEY: 're_test' } }
  writeFileSync(file, JSON.stringify(account.secrets), { mode: 0o600 })
  said = []
})

afterEach(() => rmSync(directory, { recursive: true }))

const around = () => ({
  wrangler: fakeWrangler(account).wrangler,
  env: {},
  asker: null,
  say: (line: string) => void said.push(line),
  now: () => new Date(),
})

const goBack = (version?: string) => rollback(around(), { version, isConfirmed: true })

const rotate = () =>
  manageKeys(
    around(),
    { verb: 'rotate', set: 'TOKEN_KEYS', algorithm: undefined },
    { file, isLocal: false, uploads: true, isConfirmed: true, isForced: false },
  )

test('a rollback deploys the version before, and names the step before the next change of a secret', async () => {
  const [first] = [addVersion(account, false), addVersion(account, false)]
  await goBack()
  assert.equal(account.deployments.at(-1), first)
  assert.match(said.join('\n'), /Before you change a secret, check out its code and run `npm run deploy`/)
})

test('a version with older secrets is refused, whatever was changed', async () => {
  const changes: Record<string, string>[] = [
    { TOKEN_KEYS: 'another' },
    { TURNSTILE_SECRET: 'a new one' },
    { RESEND_API_KEY: 're_other' },
  ]
  for (const change of changes) {
    account = { ...account, versions: [], deployments: [] }
    const first = addVersion(account, false)
    changeSecrets(account, change)
    addVersion(account, false)
    const before = structuredClone(account)
    await assert.rejects(goBack(first), /^Stop: Nothing was done: version \S+ has other secrets.*npm run deploy/)
    assert.deepEqual(account, before)
  }
})

test('the refusal of Cloudflare counts when the lists of names show no difference', async () => {
  const first = addVersion(account, false)
  account.secrets = { ...account.secrets, TOKEN_KEYS: 'changed where no list shows it' }
  addVersion(account, false)
  const before = structuredClone(account)
  await assert.rejects(goBack(first), /has other secrets \(TOKEN_KEYS\)/)
  assert.deepEqual(account, before)
})

test('a rollback needs an earlier version and a confirmation', async () => {
  addVersion(account, false)
  await assert.rejects(goBack(), /No earlier deployment is known/)
  await assert.rejects(goBack(account.deployments[0]), /is deployed already/)
  addVersion(account, false)
  await assert.rejects(rollback(around(), { version: undefined, isConfirmed: false }), /Run it again with --yes/)
  assert.equal(account.deployments.length, 2)
})

test('after a rollback a key is not rotated before the next deployment, and is after it', async () => {
  addVersion(account, false)
  addVersion(account, false)
  await goBack()
  const copy = readFileSync(file, 'utf8')
  await assert.rejects(rotate(), /First check out the code that is deployed and run `npm run deploy`/)
  assert.equal(readFileSync(file, 'utf8'), copy)
  // The deployment.
  addVersion(account, false)
  await rotate()
  assert.equal(account.secrets?.['TOKEN_KEYS'], JSON.parse(readFileSync(file, 'utf8')).TOKEN_KEYS)
  // Another rollback would bring the old key back.
  await assert.rejects(goBack(account.versions[0]?.id), /has other secrets/)
})

const api = (notes: string) =>
  `\n\x1b[31m✘ [ERROR]\x1b[0m A request to the Cloudflare API (/accounts/f/d1/database) failed.\n\n${notes}\n  \n  If you think this is a bug, please open an issue at: https://github.com\n\n\n🪵  Logs were written to "/tmp/x.log"\n`

test('a failure of wrangler is told with the reason that Cloudflare gave', () => {
  const cases: [string, string][] = [
    [
      api('  You have reached the limit of 10 databases. [code: 7406]'),
      'You have reached the limit of 10 databases. [code: 7406]',
    ],
    [api('  One. [code: 1]\n  Two. [code: 2]'), 'One. [code: 1] Two. [code: 2]'],
    [api('').replace(/^.*bug.*$/m, ''), 'A request to the Cloudflare API (/accounts/f/d1/database) failed.'],
    ['✘ [ERROR] Worker "postern" not found.\n\nMore.', 'Worker "postern" not found.'],
    ['something else', 'something else'],
    ['', 'no reason given'],
  ]
  for (const [stderr, reason] of cases)
    assert.equal(reasonOf({ stdout: 'a banner', stderr }).replace(/^a banner$/, 'no reason given'), reason)
  const failure = failed(['d1', 'create', 'x'], { stdout: '', stderr: cases[1]?.[0] ?? '' })
  assert.ok(failure instanceof WranglerFailure)
  assert.deepEqual(failure.codes, [1, 2])
  assert.equal(failure.message, '`wrangler d1 create x` failed: One. [code: 1] Two. [code: 2]')
})

test('a failure after the deployment is told, and is not taken for a failed rollback', async () => {
  const first = addVersion(account, false)
  addVersion(account, false)
  const fake = fakeWrangler(account).wrangler
  const failing: Wrangler = async (args, options) => {
    const outcome = await fake(args, options)
    return args[1] === 'deploy' ? { exitCode: 1, stdout: '', stderr: api('  Settings. [code: 7003]') } : outcome
  }
  await rollback({ ...around(), wrangler: failing }, { version: undefined, isConfirmed: true })
  assert.equal(account.deployments.at(-1), first)
  assert.match(said.join('\n'), /Note: `wrangler versions deploy .* failed: Settings\. \[code: 7003\]/)
  const before: Wrangler = async (args, options) =>
    args[1] === 'deploy' ? { exitCode: 1, stdout: '', stderr: api('  Down. [code: 1]') } : fake(args, options)
  addVersion(account, false)
  await assert.rejects(rollback({ ...around(), wrangler: before }, { version: undefined, isConfirmed: true }), /Down/)
})
