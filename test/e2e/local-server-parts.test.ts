import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { applyLocalMigrations } from '../../tools/dev/database.ts'
import { requireFreePort } from '../../tools/dev/free-port.ts'
import { ensureDevVars, settingsLackingIn } from '../../tools/dev/dev-vars.ts'
import { isDue } from '../../tools/dev/schedule.ts'
import { readLocalServer } from '../../tools/dev/settings.ts'
import { localVariables } from '../../tools/dev/local-variables.ts'
import { worthShowing } from '../../tools/dev/worker-output.ts'
import { migrationNames } from '../../tools/migrations.ts'
import { CommandProcess } from './support/command-process.ts'
import { freePort } from './support/free-port.ts'

test('local secrets are generated once, privately, and never overwritten', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'secrets-'))
  context.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, '.dev.vars')
  assert.equal(ensureDevVars(path), true)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const made = readFileSync(path, 'utf8')
  for (const name of ['SIGNING_KEYS', 'TOKEN_KEYS', 'PASSWORD_PEPPER', 'DATA_KEYS']) {
    const value = new RegExp(`^${name}='(.*)'$`, 'm').exec(made)?.[1]
    assert.equal(JSON.parse(value ?? '').keys.length, 1)
  }
  assert.equal(ensureDevVars(path), false)
  assert.equal(readFileSync(path, 'utf8'), made)

  const partial = made.replace(/^TOKEN_KEYS.*\n/m, '')
  writeFileSync(path, partial)
  assert.throws(() => ensureDevVars(path), /\.dev\.vars has no TOKEN_KEYS/)
  assert.equal(readFileSync(path, 'utf8'), partial)
})

test('a file of an older version gets the settings and keys that it did not know, and keeps the rest', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'secrets-'))
  context.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, '.dev.vars')
  ensureDevVars(path)
  const old = readFileSync(path, 'utf8')
    .replaceAll(/^(DATA_KEYS|SECOND_FACTOR)=.*\n/gm, '')
    .trimEnd()
  writeFileSync(path, old)
  assert.equal(ensureDevVars(path), false)
  const added = readFileSync(path, 'utf8')
  assert.ok(added.startsWith(`${old}\nSECOND_FACTOR='optional'\nDATA_KEYS='{"keys":[`))
  assert.deepEqual(settingsLackingIn(path), [])
  ensureDevVars(path)
  assert.equal(readFileSync(path, 'utf8'), added)
})

test('a port in use is reported on one line with a way out', async (context) => {
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  context.after(() => holder.close())
  const address = holder.address()
  const port = typeof address === 'object' && address ? address.port : 0
  await assert.rejects(requireFreePort(port, 'MAILBOX_PORT'), {
    message: new RegExp(`^Port ${port} is in use\\. .*MAILBOX_PORT=\\d+ npm run dev$`),
  })
})

test('invalid ports are refused', () => {
  assert.equal(readLocalServer({}).url, 'http://localhost:8787')
  assert.equal(readLocalServer({ PORT: '9000', MAILBOX_PORT: '' }).mailboxUrl, 'http://localhost:8788')
  for (const PORT of ['x', '0', '70000', '80.5', '8788'])
    assert.throws(() => readLocalServer({ PORT }), { name: 'Stop' }, PORT)
})

test('only the listed variables of the environment reach the Worker', () => {
  assert.deepEqual(readLocalServer({ HOME: '/', ENVIRONMENT: 'x', CORS_ORIGINS: '' }).passedOn, {})
  const tried = {
    SECOND_FACTOR: 'staff',
    CORS_ORIGINS: 'http://localhost:5173',
    TURNSTILE_SITE_KEY: '1x',
    TURNSTILE_SECRET: '1x',
    TURNSTILE_URL: 'http://127.0.0.1:9',
  }
  assert.deepEqual(readLocalServer({ ...tried, RESEND_API_KEY: 'x' }).passedOn, tried)
})

test('rate limits are off unless the environment turns them on', () => {
  assert.equal(readLocalServer({}).rateLimits, 'off')
  assert.equal(readLocalServer({ RATE_LIMITS: '' }).rateLimits, 'off')
  assert.equal(readLocalServer({ RATE_LIMITS: 'on' }).rateLimits, 'on')
  assert.throws(() => readLocalServer({ RATE_LIMITS: 'yes' }), { name: 'Stop' })
})

test('passwords are looked up in no breach list unless the environment names one', () => {
  const server = readLocalServer({})
  const off = localVariables(server, {})
  assert.deepEqual([off['PWNED_PASSWORDS_URL'], off['PWNED_PASSWORDS_REQUIRED']], ['', ''])
  const env = { PWNED_PASSWORDS_URL: 'http://127.0.0.1:9000', PWNED_PASSWORDS_REQUIRED: 'true' }
  const on = localVariables(server, env)
  assert.deepEqual({ ...on, ...env }, on)
})

test('a cron is due in the minutes that its fields match, in UTC', () => {
  const at = (time: string) => new Date(`2026-11-22T${time}:30Z`) // A Sunday.
  const cases: [string, string, boolean][] = [
    ['*/5 * * * *', '10:05', true],
    ['*/5 * * * *', '10:06', false],
    ['0 * * * *', '10:00', true],
    ['0 * * * *', '10:01', false],
    ['15,45 8-10 * * *', '10:45', true],
    ['15,45 8-10 * * *', '11:45', false],
    ['10/20 * * * *', '10:50', true],
    ['10/20 * * * *', '10:00', false],
    ['0 3 22 11 *', '03:00', true],
    ['0 3 21 11 *', '03:00', false],
    ['0 0 * * 1', '00:00', true],
    ['0 0 * * 2', '00:00', false],
  ]
  for (const [cron, time, expected] of cases) assert.equal(isDue(cron, at(time)), expected, `${cron} at ${time}`)
})

test("log lines and errors are shown, and wrangler's own messages are not", () => {
  const shown = {
    '{"event":"request"}': '{"event":"request"}',
    '\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1m{"level":"error"}\x1b[0m': '{"level":"error"}',
    '✘ [ERROR] Build failed with 1 error:': '✘ [ERROR] Build failed with 1 error:',
    '[wrangler:error] Error: x': '[wrangler:error] Error: x',
  }
  for (const [line, expected] of Object.entries(shown)) assert.equal(worthShowing(line), expected)
  for (const line of [
    '',
    '⎔ Starting local server...',
    '[wrangler:info] GET / 200 OK (1ms)',
    'env.DB (postern)   D1 Database   local',
  ]) {
    assert.equal(worthShowing(line), undefined, line)
  }
})

/** A state directory whose database says that these migrations made it. */
function stateMigratedBy(...names: string[]): string {
  const stateDir = mkdtempSync(join(tmpdir(), 'postern-'))
  const folder = join(stateDir, 'v3/d1/miniflare-D1DatabaseObject')
  mkdirSync(folder, { recursive: true })
  using database = new DatabaseSync(join(folder, `${'a'.repeat(64)}.sqlite`))
  database.exec('create table d1_migrations (id integer primary key, name text)')
  for (const name of names) database.prepare('insert into d1_migrations (name) values (?)').run(name)
  return stateDir
}

test('a local database of other migrations is left alone: the folder to delete is named', async (context) => {
  const stateDir = stateMigratedBy('0000_init.sql', '0001_abuse_limits.sql')
  context.after(() => rmSync(stateDir, { recursive: true }))
  const env = {
    STATE_DIR: stateDir,
    WRANGLER_COMMAND: 'dev',
    PORT: String(await freePort()),
    MAILBOX_PORT: String(await freePort()),
  }
  for (const path of ['tools/dev.ts', 'tools/migrate-local.ts', 'tools/seed.ts']) {
    const command = new CommandProcess(path, env)
    assert.equal(await command.exitCode(), 1, path)
    const lastLine = command.output.trim().split('\n').at(-1)
    assert.equal(
      lastLine,
      `The database in ${stateDir} was made by another version of Postern, and this one cannot read it. Delete the folder to start afresh.`,
    )
  }
})

test('a local database with all migrations, and with newer ones, needs none', async (context) => {
  const stateDir = stateMigratedBy(...migrationNames(), '0999_newer.sql')
  context.after(() => rmSync(stateDir, { recursive: true }))
  await applyLocalMigrations(stateDir, AbortSignal.abort())
})
