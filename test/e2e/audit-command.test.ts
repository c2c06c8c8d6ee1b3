import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { demoAdmin } from '../../tools/demo/demo-admin.ts'
import { CommandProcess } from './support/command-process.ts'
import { stopCleanly } from './support/dev-server.ts'
import { freePort } from './support/free-port.ts'
import { prepareFreshState } from './support/prepare.ts'

const timeout = 300_000
let env: { PORT: string; MAILBOX_PORT: string; STATE_DIR: string }
let dev: CommandProcess

before(async () => {
  env = {
    PORT: String(await freePort()),
    MAILBOX_PORT: String(await freePort()),
    STATE_DIR: await prepareFreshState(),
  }
  const seed = new CommandProcess('tools/seed.ts', env, ['--users', '60'])
  assert.equal(await seed.exitCode(), 0, seed.output)
  dev = new CommandProcess('tools/dev.ts', env)
  await dev.untilSaid('Postern runs.')
})

after(async () => {
  await stopCleanly(dev, 'SIGTERM')
  rmSync(env.STATE_DIR, { recursive: true, force: true })
})

async function audit(args: string[], more: Record<string, string> = {}) {
  const credentials = { POSTERN_EMAIL: demoAdmin.email, POSTERN_PASSWORD: demoAdmin.password }
  const command = new CommandProcess('tools/audit.ts', { ...env, ...credentials, ...more }, args)
  const exitCode = await command.exitCode()
  return { exitCode, output: command.output }
}

/** The job stops after 20 objects, and what is left is for its next run. */
async function archive(): Promise<void> {
  const cron = encodeURIComponent('30 * * * *')
  const answer = await fetch(`http://localhost:${env.PORT}/cdn-cgi/handler/scheduled?cron=${cron}`)
  assert.equal(answer.status, 200, await answer.text())
}

test('the archive of `npm run dev` is read and verified through the Worker', { timeout }, async () => {
  for (let run = 0; run < 3; run++) await archive()
  const whole = await audit(['verify'])
  assert.equal(whole.exitCode, 0, whole.output)
  const [, newest] = /^Newest object: (60:[\w-]{43})$/m.exec(whole.output) ?? []
  const [, count] =
    /^The archive is whole: (\d+) events in 60 objects, the oldest from 20\S+Z\.$/m.exec(whole.output) ?? []
  assert.ok(newest && count, whole.output)
  assert.equal((await audit(['verify', '--seen', newest])).exitCode, 0)
  const other = await audit(['verify', '--seen', `60:${'x'.repeat(43)}`])
  assert.equal(other.exitCode, 1)
  assert.match(other.output, /object 60 with the digest x+ was in the archive before/)

  const { output } = await audit([])
  const events = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string; at: string; user_id: string })
  assert.equal(events.length, Number(count))
  const [oldest] = events
  assert.ok(oldest)
  const { user_id: user, at } = events.at(-1) ?? oldest
  const ofUser = await audit(['--user', user, '--from', at])
  assert.deepEqual(
    ofUser.output.trim().split('\n'),
    events.filter((event) => event.user_id === user && event.at >= at).map((event) => JSON.stringify(event)),
  )
  assert.equal((await audit(['--to', oldest.at])).output, '')
})

test('it refuses what it cannot do, and never sends a password over plain http', { timeout }, async () => {
  for (const [args, more, message] of [
    [[], { POSTERN_URL: 'accounts' }, /POSTERN_URL is not a URL: accounts/],
    [['--from', 'yesterday'], {}, /"yesterday" is not a date/],
    [['verify', '--user', 'x'], {}, /npm run audit/],
    [['verify', '--seen', '5'], {}, /--seen must be NUMBER:DIGEST/],
    [[], { POSTERN_URL: 'http://accounts.example.com' }, /POSTERN_URL must be an https address/],
    [[], { POSTERN_PASSWORD: 'not the password' }, /POST \/auth\/login answered 401 invalid_credentials/],
    [[], { POSTERN_EMAIL: 'user@example.com' }, /GET \/audit-archive\?limit=100 answered 403 insufficient_permission/],
    [[], { POSTERN_PASSWORD: '' }, /Set POSTERN_EMAIL and POSTERN_PASSWORD/],
  ] as const) {
    const { exitCode, output } = await audit([...args], more)
    assert.equal(exitCode, 1, output)
    assert.match(output, message)
  }
})
