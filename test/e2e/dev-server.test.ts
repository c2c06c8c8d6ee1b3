import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { readSettings } from '../../tools/cloudflare/wrangler-toml.ts'
import { demoAdmin } from '../../tools/demo/demo-admin.ts'
import { requireFreePort } from '../../tools/dev/free-port.ts'
import { projectRoot } from '../../tools/wrangler.ts'
import { CommandProcess, until } from './support/command-process.ts'
import { freePort } from './support/free-port.ts'
import { descendantsOf, runningOf } from './support/process-tree.ts'

/** The real `npm run dev` with the real wrangler; the tests go on from one another's data, as a developer's days do. */
let env: { PORT: string; MAILBOX_PORT: string; STATE_DIR: string }
let dev: CommandProcess

const timeout = 300_000

before(() => {
  env = { PORT: '', MAILBOX_PORT: '', STATE_DIR: mkdtempSync(join(tmpdir(), 'postern-')) }
})

after(() => rmSync(env.STATE_DIR, { recursive: true, force: true }))

beforeEach(async () => {
  Object.assign(env, { PORT: String(await freePort()), MAILBOX_PORT: String(await freePort()) })
  dev = new CommandProcess('tools/dev.ts', env)
})

afterEach(async () => {
  // Only for a test that failed half-way; the tests stop their server themselves.
  dev.signal('SIGTERM')
  await dev.exitCode()
})

test('the main job works from end to end, on fresh data', { timeout }, async () => {
  await dev.untilSaid('Postern runs.')
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

  await stopsCleanly('SIGINT')
})

test('a second start has the data of the first, and the same secrets', { timeout }, async () => {
  const secretsPath = join(projectRoot, '.dev.vars')
  const secrets = readFileSync(secretsPath, 'utf8')
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
  await stopsCleanly('SIGTERM')
})

test('Ctrl-C during the start leaves nothing behind either', { timeout }, async () => {
  await dev.untilSaid('Starting')
  await until(() => descendantsOf(dev.pid).length > 0, 'a child')
  await stopsCleanly('SIGINT')
})

test('when wrangler dies, so does the command, with what wrangler said last', { timeout }, async () => {
  await dev.untilSaid('Postern runs.')
  const children = descendantsOf(dev.pid)
  for (const child of children) process.kill(child, 'SIGKILL')
  assert.equal(await dev.exitCode(), 1)
  assert.match(dev.output, /wrangler dev ended unexpectedly\.\n/)
  await requireFreePort(Number(env.MAILBOX_PORT), 'MAILBOX_PORT')
})

async function stopsCleanly(signal: NodeJS.Signals): Promise<void> {
  const children = descendantsOf(dev.pid)
  dev.signal(signal)
  assert.equal(await dev.exitCode(), 0, dev.output)
  assert.deepEqual(runningOf(children), [])
  await requireFreePort(Number(env.PORT), 'PORT')
  await requireFreePort(Number(env.MAILBOX_PORT), 'MAILBOX_PORT')
}

function api(): string {
  return `http://127.0.0.1:${env.PORT}`
}
