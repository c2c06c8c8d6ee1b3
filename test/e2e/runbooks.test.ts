/** Every command of the runbooks, as the document writes it, with the real wrangler against a stand-in for Cloudflare. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { deploy } from '../../tools/cloudflare/deploy.ts'
import { migrationsFolder } from '../../tools/migrations.ts'
import { rollback } from '../../tools/cloudflare/rollback.ts'
import { places, replaceString } from '../../tools/cloudflare/wrangler-toml.ts'
import { type Wrangler, projectRoot, runWrangler } from '../../tools/wrangler.ts'
import { section } from './support/documents.ts'
import { addVersion, changeSecrets } from './support/fake-account.ts'
import { type FakeCloudflare, startFakeCloudflare } from './support/fake-cloudflare.ts'

const timeout = 600_000
/** Beside the original, to which its paths are relative. git ignores it. */
const toml = join(projectRoot, '.wrangler-dev-runbooks.toml')
let cloudflare: FakeCloudflare
let wrangler: Wrangler

before(async () => {
  writeFileSync(toml, readFileSync(join(projectRoot, 'wrangler.toml')))
  replaceString(toml, places.databaseId, '11111111-1111-4111-8111-111111111111')
  replaceString(toml, places.kvId, '1'.repeat(32))
  replaceString(toml, places.publicUrl, 'https://accounts.example.com')
  cloudflare = await startFakeCloudflare()
  const { account } = cloudflare
  account.databases = [{ uuid: '11111111-1111-4111-8111-111111111111', name: 'postern' }]
  account.queues = ['postern-mail', 'postern-mail-dead'].map((name, id) => ({ queue_id: `q${id}`, queue_name: name }))
  account.secrets = { SIGNING_KEYS: 'a', TOKEN_KEYS: 'b', PASSWORD_PEPPER: 'c', RESEND_API_KEY: 'd' }
  addVersion(account, false)
  wrangler = (args, options) =>
    runWrangler([...args, '--config', toml], { ...options, isShown: false, env: cloudflare.env })
})

after(async () => {
  await cloudflare?.stop()
  for (const path of [toml, join(projectRoot, 'postern.sql')]) rmSync(path, { force: true })
})

/** The commands of a section's shell blocks, in order; a backslash and an open quote continue a line. */
function commandsOf(heading: string): string[] {
  const blocks = Array.from(
    section('docs/operations.md', heading).matchAll(/```sh\n([^]*?)```/g),
    ([, block = '']) => block,
  )
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, ' ').split('\n'))
  const commands: string[] = []
  let open = ''
  for (const line of lines) {
    open = open === '' ? line.trim() : `${open} ${line.trim()}`
    if ((open.match(/"/g) ?? []).length % 2 === 1) continue
    if (open !== '') commands.push(open)
    open = ''
  }
  return commands
}

/** The words of a command line, without what follows `>`. */
function wordsOf(command: string): string[] {
  const words = Array.from(command.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? '')
  const redirection = words.indexOf('>')
  return redirection < 0 ? words : words.slice(0, redirection)
}

const surroundings = () => ({
  wrangler,
  toml,
  migrations: migrationsFolder,
  env: cloudflare.env,
  asker: null,
  say: () => undefined,
  fetch: async () => Response.json({ status: 'ok' }),
  sleep: async () => undefined,
})

async function perform(command: string): Promise<void> {
  const [program, name, ...args] = wordsOf(command)
  if (program === 'npx' && name === 'wrangler') {
    const { exitCode, stderr, stdout } = await wrangler(args)
    assert.equal(exitCode, 0, `${command}\n${stderr}${stdout}\n${cloudflare.calls.slice(-3).join('\n')}`)
  } else if (command === 'npm run deploy') await deploy(surroundings(), { isConfirmed: false })
  else if (command === 'npm run rollback') await rollback(surroundings(), { version: undefined, isConfirmed: true })
  else assert.fail(`nobody has tried: ${command}`)
}

test('the restore under maintenance, command by command', { timeout }, async () => {
  const { account } = cloudflare
  const done: string[] = []
  for (const command of commandsOf('Back-up and restore')) {
    // The other way to restore, into another database.
    if (/d1 create|--file/.test(command)) continue
    await perform(command)
    done.push(command)
    const isClosed = account.upload?.includes('"name":"MAINTENANCE","type":"plain_text","text":"true"') ?? false
    if (command.includes('MAINTENANCE:true')) assert.ok(isClosed, account.upload)
    if (/time-travel restore|DELETE FROM sessions/.test(command)) assert.ok(isClosed, 'nobody is served')
    if (/time-travel restore/.test(command)) assert.ok(account.isMailPaused, 'no email is delivered')
  }
  assert.ok(account.upload?.includes('"name":"MAINTENANCE","type":"plain_text","text":"false"'), 'it serves again')
  assert.ok(!account.isMailPaused)
  assert.ok(existsSync(join(projectRoot, 'postern.sql')))
  const statements = (account.statements ?? []).join('\n')
  assert.match(statements, /FROM audit_events[^]*restore[^]*DELETE FROM sessions/)
  assert.ok(done.length >= 8, done.join('\n'))
})

test('the rollback, and a refused one after a secret has changed', { timeout }, async () => {
  const { account } = cloudflare
  const [good] = [addVersion(account, false), addVersion(account, false)]
  const commands = commandsOf('Rolling back').filter((command) => command.startsWith('npm run rollback'))
  assert.deepEqual(commands, ['npm run rollback'])
  for (const command of commands) await perform(command)
  assert.equal(account.deployments.at(-1), good)
  assert.equal(changeSecrets(account, { TOKEN_KEYS: 'refused' }), 10214)
  await deploy(surroundings(), { isConfirmed: false })
  assert.equal(changeSecrets(account, { TOKEN_KEYS: 'new' }), undefined)
  const before = structuredClone(account)
  await assert.rejects(perform('npm run rollback'), /has other secrets/)
  assert.deepEqual(account, before)
})
