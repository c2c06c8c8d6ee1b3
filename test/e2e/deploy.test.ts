import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { deploy } from '../../tools/cloudflare/deploy.ts'
import { places, replaceString } from '../../tools/cloudflare/wrangler-toml.ts'
import { type Outcome, projectRoot } from '../../tools/wrangler.ts'

const directory = mkdtempSync(join(tmpdir(), 'deploy-'))
after(() => rmSync(directory, { recursive: true }))

const provisioned = [
  [places.databaseId, '11111111-1111-4111-8111-111111111111'],
  [places.kvId, '1'.repeat(32)],
  [places.publicUrl, 'https://accounts.example.com'],
] as const

/** A copy of wrangler.toml with some of the values that provisioning writes. */
function tomlWith(values: readonly (typeof provisioned)[number][]): string {
  const path = join(directory, 'wrangler.toml')
  copyFileSync(join(projectRoot, 'wrangler.toml'), path)
  for (const [place, value] of values) replaceString(path, place, value)
  return path
}

const secrets = ['SIGNING_KEYS', 'TOKEN_KEYS', 'PASSWORD_PEPPER', 'RESEND_API_KEY'].map((name) => ({ name }))
const good: Record<string, Partial<Outcome>> = {
  'whoami --json': { stdout: '{"loggedIn":true,"accounts":[{"id":"a","name":"A"}]}' },
  'secret list': { stdout: JSON.stringify(secrets) },
  'd1 time-travel info DB --json': { stdout: '{"bookmark":"00000085-0000024c"}' },
  'd1 migrations apply DB --remote': {},
  deploy: {},
}

/** Deploys with a wrangler that gives the answers of the test, and records its commands. */
async function run(
  answers: Record<string, Partial<Outcome>> = {},
  toml = tomlWith(provisioned),
  ready: [number, unknown][] = [[200, { status: 'ok' }]],
) {
  const commands: string[] = []
  const said: string[] = []
  const failure = await deploy({
    wrangler: async (args) => {
      const command = args.join(' ')
      commands.push(command)
      const answer = { ...good, ...answers }[command]
      assert.ok(answer, `an unexpected command: ${command}`)
      return { exitCode: 0, stdout: '', stderr: '', ...answer }
    },
    toml,
    env: {},
    say: (line) => said.push(line),
    fetch: async () => {
      const [status, body] = (ready.length > 1 ? ready.shift() : ready[0]) ?? [500, 'none']
      return Response.json(body, { status })
    },
    sleep: async () => undefined,
  }).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
  return { commands, said: said.join('\n'), failure }
}

test('the database is migrated first, after its Time Travel bookmark was printed', async () => {
  const { commands, said, failure } = await run()
  assert.equal(failure, undefined)
  assert.deepEqual(commands.slice(2), ['d1 time-travel info DB --json', 'd1 migrations apply DB --remote', 'deploy'])
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
  assert.match(none.failure ?? '', /has no SIGNING_KEYS, TOKEN_KEYS, PASSWORD_PEPPER, RESEND_API_KEY/)
  for (const { commands } of [some, none]) assert.ok(!commands.includes('deploy'))
})

test('a failed migration stops the deployment', async () => {
  const { commands, failure } = await run({ 'd1 migrations apply DB --remote': { exitCode: 1 } })
  assert.match(failure ?? '', /migrations failed; nothing was deployed/)
  assert.ok(!commands.includes('deploy'))
})

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
