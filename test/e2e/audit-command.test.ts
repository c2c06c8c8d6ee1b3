import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { type RequestListener, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { Api, type Tokens } from '../../tools/demo/api.ts'
import { demoAdmin } from '../../tools/demo/demo-admin.ts'
import { oneTimeCode } from '../../tools/demo/one-time-code.ts'
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

test('the command refuses what it cannot do, and never sends a password over plain http', { timeout }, async () => {
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

/** Runs the command against a service that answers like this. */
async function auditAt(answer: (path: string) => Parameters<typeof respond>[1], args: string[] = ['verify']) {
  const server = createServer((request, response) => respond(response, answer(request.url ?? '')))
  await once(server.listen(0, 'localhost'), 'listening')
  const { port } = server.address() as AddressInfo
  try {
    return await audit(args, { POSTERN_URL: `http://localhost:${port}` })
  } finally {
    server.close()
  }
}

interface Scripted {
  status?: number
  body?: object | string
  /** Breaks the connection in the middle of the body. */
  breaks?: boolean
}

function respond(
  response: Parameters<RequestListener>[1],
  { status = 200, body = {}, breaks = false }: Scripted,
): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': text.length + Number(breaks) })
  if (breaks) response.write(text, () => response.destroy())
  else response.end(text)
}

const tokens = { access_token: 'a', refresh_token: 'r' }
const missing = { number: 1, name: 'audit/2026/01/01/00-00000001.ndjson.gz', digest: 'x', seal: null, lines: null }
const answers: Record<string, Scripted> = {
  '/auth/login': { body: tokens },
  '/.well-known/jwks.json': { body: { keys: [] } },
  '/audit-archive': { body: { objects: [missing], next_cursor: null } },
  '/auth/logout': { status: 204, body: '' },
}
const scripted = (others: Record<string, Scripted>) => (path: string) =>
  ({ ...answers, ...others })[path.replace(/\?.*/, '')] ?? { status: 404 }

test('the command says what it found when the service fails while it signs out', { timeout }, async () => {
  const { exitCode, output } = await auditAt(scripted({ '/auth/logout': { status: 503 } }))
  assert.equal(exitCode, 1)
  assert.match(output, /The archive is not whole:\n {2}\S+ is missing or cannot be read/)
  const read = await auditAt(scripted({ '/auth/logout': { status: 503 } }), [])
  assert.equal(read.exitCode, 0, read.output)
})

test('the command says in a line that something else answers, or nothing any more', { timeout }, async () => {
  for (const [others, message] of [
    [{ '/auth/login': { body: '<html>' } }, /^http:\S+ does not answer like Postern\.\n$/],
    [{ '/audit-archive': { body: '{"objects":[', breaks: true } }, /^http:\S+ does not answer\.\n$/],
    [
      { '/auth/login': { status: 429, body: { code: 'rate_limited', detail: 'Too many.' } } },
      /^POST \/auth\/login answered 429 rate_limited: Too many\.\n$/,
    ],
  ] as const) {
    const { exitCode, output } = await auditAt(scripted(others))
    assert.equal(exitCode, 1)
    assert.match(output, message)
  }
})

// The last test: from here on the ADMIN has a second factor.
test('an ADMIN with a second factor reads the archive with a code, which counts once', { timeout }, async () => {
  const api = new Api(`http://localhost:${env.PORT}`)
  const { access_token: token } = await api.call<Tokens>('POST', '/auth/login', { body: demoAdmin, expect: 200 })
  const setup = await api.call<{ secret: string; setup_token: string }>('POST', '/users/me/totp', {
    token,
    expect: 200,
  })
  const confirmation = { setup_token: setup.setup_token, code: oneTimeCode(setup.secret) }
  const { recovery_codes } = await api.call<{ recovery_codes: string[] }>('POST', '/users/me/totp/confirm', {
    token,
    body: confirmation,
    expect: 201,
  })
  const [recoveryCode = ''] = recovery_codes

  const verifyWith = (code: string) => audit(['verify'], { POSTERN_CODE: code })
  const byApp = await verifyWith(oneTimeCode(setup.secret, 1))
  assert.match(byApp.output, /^The archive is whole: /m)
  const byRecoveryCode = await verifyWith(recoveryCode)
  assert.equal(byRecoveryCode.exitCode, 0, byRecoveryCode.output)
  const again = await verifyWith(recoveryCode)
  assert.equal(again.exitCode, 1)
  assert.match(
    again.output,
    /^The code was refused\. This account takes a code of the authenticator app or a recovery code/,
  )
  assert.match(
    (await audit(['verify'])).output,
    /^Set POSTERN_CODE to a code of the authenticator app or a recovery code/,
  )
})
