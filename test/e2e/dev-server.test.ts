import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parseEnv } from 'node:util'
import { readSettings } from '../../tools/cloudflare/wrangler-toml.ts'
import { demoAdmin } from '../../tools/demo/demo-admin.ts'
import { requireFreePort } from '../../tools/dev/free-port.ts'
import { projectRoot } from '../../tools/wrangler.ts'
import { CommandProcess, until } from './support/command-process.ts'
import { stopCleanly } from './support/dev-server.ts'
import { freePort } from './support/free-port.ts'
import { prepareFreshState } from './support/prepare.ts'
import { commandLines, descendantsOf } from './support/process-tree.ts'

/** Starts the real `npm run dev` with the real wrangler. Each test continues with the data of the one before. */
const timeout = 300_000
let env: { PORT: string; MAILBOX_PORT: string; STATE_DIR: string; BUILD_LOG: string }
let dev: CommandProcess

before(async () => {
  const stateDir = await prepareFreshState()
  env = {
    PORT: String(await freePort()),
    MAILBOX_PORT: String(await freePort()),
    STATE_DIR: stateDir,
    BUILD_LOG: join(stateDir, 'build.log'),
  }
})

after(async () => {
  // Only needed when a test failed: the tests stop their server themselves.
  dev.signal('SIGTERM')
  await dev.exitCode()
  rmSync(env.STATE_DIR, { recursive: true, force: true })
})

test('the demo succeeds on a fresh clone, every cron runs, and Ctrl-C ends everything', { timeout }, async () => {
  dev = new CommandProcess('tools/dev.ts', env)
  await dev.untilSaid('Postern runs.')
  assert.match(readFileSync(env.BUILD_LOG, 'utf8'), /\bvite build web\b/)
  const demo = new CommandProcess('tools/demo.ts', env)
  assert.equal(await demo.exitCode(), 0, `${demo.output}\n${dev.output}`)
  assert.match(demo.output, /All \d+ steps as expected/)

  const { triggers } = await readSettings(join(projectRoot, 'wrangler.toml'))
  for (const cron of triggers.crons) {
    const query = new URLSearchParams({ cron, format: 'json' })
    const answer = await fetch(`${api()}/cdn-cgi/handler/scheduled?${query}`)
    assert.deepEqual(await answer.json(), { outcome: 'ok', noRetry: false }, cron)
  }

  const second = new CommandProcess('tools/dev.ts', env)
  assert.equal(await second.exitCode(), 1)
  assert.match(second.output, new RegExp(`^Port ${env.PORT} is in use\\. [^\\n]*\\n$`))

  await stopCleanly(dev, 'SIGINT')
  await portsAreFree()
})

test('a second start has the data and the secrets of the first', { timeout }, async () => {
  const secretsPath = join(projectRoot, '.dev.vars')
  const secrets = readFileSync(secretsPath, 'utf8')
  dev = new CommandProcess('tools/dev.ts', env)
  await dev.untilSaid('Postern runs.')
  const login = await fetch(`${api()}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(demoAdmin),
  })
  assert.equal(login.status, 200, await login.clone().text())
  assert.equal((await login.json()).user.role, 'ADMIN')
  const mails = await fetch(`http://127.0.0.1:${env.MAILBOX_PORT}/emails`, { headers: { authorization: 'Bearer x' } })
  assert.ok((await mails.json()).data.length >= 5)

  const demo = new CommandProcess('tools/demo.ts', env)
  assert.equal(await demo.exitCode(), 0, demo.output)
  assert.equal(readFileSync(secretsPath, 'utf8'), secrets)
})

test('when wrangler dies, the command ends with the last output of wrangler', { timeout }, async () => {
  for (const child of descendantsOf(dev.pid)) process.kill(child, 'SIGKILL')
  assert.equal(await dev.exitCode(), 1)
  assert.match(dev.output, /wrangler dev ended unexpectedly\.\n/)
  await requireFreePort(Number(env.MAILBOX_PORT), 'MAILBOX_PORT')
})

test('Ctrl-C during the start leaves no process behind', { timeout }, async () => {
  dev = new CommandProcess('tools/dev.ts', env)
  await dev.untilSaid('Starting')
  await until(() => descendantsOf(dev.pid).length > 0, 'a child')
  await stopCleanly(dev, 'SIGINT')
  await portsAreFree()
})

test('secrets reach the Worker and no list of processes', { timeout }, async () => {
  const turnstileSecret = '1x0000000000000000000000000000000AA'
  dev = new CommandProcess('tools/dev.ts', {
    ...env,
    TURNSTILE_SITE_KEY: '1x00000000000000000000AA',
    TURNSTILE_SECRET: turnstileSecret,
    AUDIENCE: 'of-the-shell',
  })
  await dev.untilSaid('Postern runs.')
  const lines = commandLines().join('\n')
  assert.match(lines, new RegExp(`wrangler\\.js dev .*--port ${env.PORT} `))
  const secrets = parseEnv(readFileSync(join(projectRoot, '.dev.vars'), 'utf8'))
  for (const name of ['SIGNING_KEYS', 'TOKEN_KEYS', 'PASSWORD_PEPPER', 'DATA_KEYS', 'RESEND_API_KEY']) {
    assert.ok(!lines.includes(secrets[name] ?? ''), name)
  }
  assert.ok(!lines.includes(turnstileSecret), 'TURNSTILE_SECRET')
  assert.doesNotMatch(lines, /whsec_/)
  const post = (path: string, body: object) =>
    fetch(`${api()}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const { errors } = await (await post('/auth/register', demoAdmin)).json()
  assert.equal(errors?.[0].code, 'turnstile_required')
  const { access_token: token } = await (await post('/auth/login', demoAdmin)).json()
  assert.equal(JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).aud, 'postern')
  assert.equal((await post('/webhooks/resend', {})).status, 401)
  await stopCleanly(dev, 'SIGINT')
})

async function portsAreFree(): Promise<void> {
  await requireFreePort(Number(env.PORT), 'PORT')
  await requireFreePort(Number(env.MAILBOX_PORT), 'MAILBOX_PORT')
}

function api(): string {
  return `http://localhost:${env.PORT}`
}
