import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { deploy } from '../../tools/cloudflare/deploy.ts'
import { places, replaceString } from '../../tools/cloudflare/wrangler-toml.ts'
import { type Outcome, projectRoot } from '../../tools/wrangler.ts'

const original = readFileSync(join(projectRoot, 'wrangler.toml'), 'utf8')
const provisioned = [
  [places.databaseId, '11111111-1111-4111-8111-111111111111'],
  [places.kvId, '1'.repeat(32)],
  [places.publicUrl, 'https://accounts.example.com'],
] as const

function tomlWith(values: readonly (readonly [(typeof provisioned)[number][0], string])[]): string {
  return values.reduce((toml, [place, value]) => replaceString(toml, place, value), original)
}

const secrets = ['SIGNING_KEYS', 'TOKEN_KEYS', 'PASSWORD_PEPPER', 'RESEND_API_KEY'].map((name) => ({ name }))
const good: Record<string, Partial<Outcome>> = {
  'whoami --json': { stdout: '{"loggedIn":true,"accounts":[{"id":"a","name":"A"}]}' },
  'secret list': { stdout: JSON.stringify(secrets) },
  'd1 time-travel info DB --json': { stdout: '{"bookmark":"00000085-0000024c"}' },
  'd1 migrations apply DB --remote': {},
  deploy: {},
}

/** Deploys through a wrangler that answers as told, and notes what it was asked. */
async function run(answers: Record<string, Partial<Outcome>> = {}, toml = tomlWith(provisioned)) {
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
  }).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
  return { commands, said: said.join('\n'), failure }
}

test('the database is migrated before the Worker is deployed, with a way back noted first', async () => {
  const { commands, said, failure } = await run()
  assert.equal(failure, undefined)
  assert.deepEqual(commands.slice(2), ['d1 time-travel info DB --json', 'd1 migrations apply DB --remote', 'deploy'])
  assert.ok(said.includes('time-travel restore DB --bookmark=00000085-0000024c'))
})

test('nothing is deployed from a wrangler.toml that was never provisioned', async () => {
  for (const left of provisioned) {
    const { commands, failure } = await run({}, tomlWith(provisioned.filter((each) => each !== left)))
    assert.match(failure ?? '', /npm run provision/)
    assert.ok(!failure?.includes('\n'))
    assert.deepEqual(commands, ['whoami --json'])
  }
})

test('nobody logged in is said in one line', async () => {
  const { commands, failure } = await run({ 'whoami --json': { exitCode: 1, stdout: '{"loggedIn":false}' } })
  assert.match(failure ?? '', /^Not logged in to Cloudflare: .+$/)
  assert.deepEqual(commands, ['whoami --json'])
})

test('a login that Cloudflare refuses, or one with several accounts, is said in one line', async () => {
  const refused = await run({
    'whoami --json': { exitCode: 1, stderr: '\n✘ [ERROR] Invalid API token [code: 1000]\n\nMore.' },
  })
  assert.equal(refused.failure, 'Cloudflare does not answer for this login: Invalid API token [code: 1000]')
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

test('a missing bookmark is no reason not to deploy', async () => {
  const { failure, said } = await run({ 'd1 time-travel info DB --json': { exitCode: 1 } })
  assert.equal(failure, undefined)
  assert.match(said, /no Time Travel bookmark/)
})
