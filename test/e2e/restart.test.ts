/**
 * Restarts and SIGKILL: a restart loses nothing, and a call that is killed half-way takes effect as a whole or not at all.
 *
 * Limit: this is not a power failure. The operating system still completes the writes of a killed process.
 *
 * `E2E_ROUNDS` is the number of moments at which each kind of call is killed: 1 by default, all of them in CI.
 */
import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Api, type Tokens } from '../../tools/demo/api.ts'
import { bytesOfUuid, newUserShard, uuidv7 } from '../../src/crypto/random.ts'
import { auditCodes } from '../../src/store/schema/audit.ts'
import { linkToken } from '../../tools/demo/inbox.ts'
import { newPassword } from '../../tools/demo/person.ts'
import { readJournal } from '../../tools/mailbox/journal.ts'
import { type MailboxServer, startMailbox } from '../../tools/mailbox/server.ts'
import { CommandProcess, until } from './support/command-process.ts'
import { stopCleanly } from './support/dev-server.ts'
import { freePort } from './support/free-port.ts'
import { KillableWorker } from './support/killable-worker.ts'
import { LocalDatabase } from './support/local-database.ts'
import { type GatePosition, type MailboxGate, startMailboxGate } from './support/mailbox-gate.ts'
import { prepareState } from './support/prepare.ts'

const timeout = 300_000
/** /proc tells which processes to kill together. */
const skip = existsSync('/proc/self/stat') ? false : 'there is no /proc'

const email = 'ada@example.com'
const password = newPassword()
const callsPerKill = 4
const rounds = Number(process.env['E2E_ROUNDS'] || 1)
const momentsOfWrites = [atCommit(1), inWrite(1), atCommit(2)].slice(0, rounds)
const momentsOfRefresh = [atAnswer, inWrite(1), atCommit(1)].slice(0, rounds)
/** The progress of a delivery when the Worker is killed. The gate holds it there. */
const places: { name: string; gateAt?: GatePosition }[] = [
  {
    name: 'after the mailbox accepted an email, before the Worker was told',
    gateAt: 'closed after the mailbox',
  } as const,
  { name: 'before the mailbox received the emails', gateAt: 'closed before the mailbox' } as const,
  { name: 'with the emails in the queue' },
  { name: 'while the Worker was told', gateAt: 'open' } as const,
].slice(0, rounds)

/** Unanswered calls by path. Summed up, because on a busy machine a single kill may come too late. */
const lostAnswers = new Map<string, number>()

let env: { PORT: string; MAILBOX_PORT: string; STATE_DIR: string }
let api: Api
let database: LocalDatabase
let mailbox: MailboxServer
let gate: MailboxGate
let worker: KillableWorker

before(async () => {
  const [port, mailboxPort] = [await freePort(), await freePort()]
  env = { PORT: `${port}`, MAILBOX_PORT: `${mailboxPort}`, STATE_DIR: await prepareState() }
  api = new Api(`http://localhost:${port}`)
  database = new LocalDatabase(env.STATE_DIR)
})

after(async () => {
  await worker?.kill()
  await gate?.stop()
  await mailbox?.stop()
  rmSync(env.STATE_DIR, { recursive: true, force: true })
})

test('a refresh token used before a restart is detected as replayed after it', { timeout }, async (t) => {
  const first = dev(t)
  await first.untilSaid('Postern runs.')
  await post('/auth/register', { email, password }, 202)
  const stolen = await tokensOf('/auth/activate', { token: await linkTo(email, '/activate'), password })
  const second = await tokensOf('/auth/refresh', { refresh_token: stolen.refresh_token })
  const newest = await tokensOf('/auth/refresh', { refresh_token: second.refresh_token })
  await stopCleanly(first, 'SIGINT')

  const again = dev(t)
  await again.untilSaid('Postern runs.')
  await api.call('GET', '/users/me', { token: newest.access_token, expect: 200 })
  await post('/auth/refresh', { refresh_token: stolen.refresh_token }, 401, 'refresh_token_reused')
  await post('/auth/refresh', { refresh_token: newest.refresh_token }, 401, 'invalid_refresh_token')
  await post('/auth/refresh', { refresh_token: second.refresh_token }, 401, 'invalid_refresh_token')
  await api.call('GET', '/users/me', { token: newest.access_token, expect: 401, code: 'invalid_token' })
  await until(() => mailsTo(email).some(({ subject }) => /ended a session/.test(subject)), 'the email about the theft')
  await stopCleanly(again, 'SIGTERM')

  for (const round of momentsOfWrites.keys()) for (const person of crowd(`reset.${round}`)) cloneAda(person.email)
  for (const round of places.keys()) for (const person of crowd(`mail.${round}`)) cloneAda(person.email)
  // From here on only the Worker is killed. The mailbox stands for Resend and keeps running.
  mailbox = await startMailbox(Number(env.MAILBOX_PORT), env.STATE_DIR)
  gate = await startMailboxGate(mailbox.url)
  worker = new KillableWorker({ ...env, MAILBOX_URL: gate.url })
})

test('a killed registration took effect with its email, or not at all', { skip, timeout }, async (t) => {
  await restart()
  for (const [round, moment] of momentsOfWrites.entries()) {
    const people = crowd(`new.${round}`)
    const isDone = await kill(t, moment, {
      path: '/auth/register',
      bodies: people,
      pauseMs: 60,
      look({ email: address }) {
        const user = count('users where email = ?', address)
        const traces = {
          attempt: count('registrations where email = ?', address),
          event: count(`${eventsOf} where type = ${auditCodes['user.registered']} and email = ?`, address),
          mail: count(`emails where template = 'registration' and recipient = ?`, address),
        }
        assert.deepEqual(traces, { attempt: user, event: user, mail: user })
        return user === 1
      },
    })
    await restart()
    for (const person of people) if (!isDone(person)) await post('/auth/register', person, 202)
    await deliverAll()
    for (const person of people) {
      assert.equal(mailsTo(person.email).length, 1)
      const token = await linkTo(person.email, '/activate')
      await tokensOf('/auth/activate', { token, password: person.password })
    }
  }
})

test('a killed reset leaves the old password and its link, or the new password', { skip, timeout }, async (t) => {
  await restart()
  for (const [round, moment] of momentsOfWrites.entries()) {
    const people: { email: string; token: string; new_password: string }[] = []
    for (const { email: address, password: newOne } of crowd(`reset.${round}`)) {
      await post('/auth/password-reset/request', { email: address }, 202)
      people.push({ email: address, token: await linkTo(address, '/reset-password'), new_password: newOne })
    }
    // Waits until nothing but the calls will be written.
    await deliverAll()
    const isDone = await kill(t, moment, {
      path: '/auth/password-reset/complete',
      bodies: people,
      pauseMs: 60,
      look({ email: address }) {
        const event = count(`${eventsOf} where type = ${auditCodes['user.password_reset']} and email = ?`, address)
        const traces = {
          mail: count(`emails where template = 'password_changed' and recipient = ?`, address),
          links: count('one_time_links join users on users.id = user_id where email = ?', address),
          sessions: count('sessions join users on users.id = user_id where email = ?', address),
        }
        assert.deepEqual(traces, { mail: event, links: 1 - event, sessions: 1 - event })
        return event === 1
      },
    })
    await restart()
    for (const person of people) {
      const [withOld, withNew, withLink] = isDone(person) ? [401, 200, 400] : [200, 401, 204]
      await post('/auth/login', { email: person.email, password }, withOld)
      await post('/auth/login', { email: person.email, password: person.new_password }, withNew)
      await post('/auth/password-reset/complete', person, withLink)
    }
  }
})

test('a client whose refresh was killed may repeat it with the same token', { skip, timeout }, async (t) => {
  await restart()
  const sessions: { refresh_token: string }[] = []
  for (let index = 0; index < 8; index++) sessions.push(await tokensOf('/auth/login', { email, password }))
  for (const moment of momentsOfRefresh) {
    const start = Date.now()
    await kill(t, moment, {
      path: '/auth/refresh',
      bodies: sessions,
      pauseMs: 3,
      look({ refresh_token: token }) {
        const { sid, gen } = claimsOf(token)
        const isOld = count('sessions where id = ? and generation = ?', bytesOfUuid(sid), gen)
        const isNew = count('sessions where id = ? and generation = ?', bytesOfUuid(sid), gen + 1)
        assert.equal(isOld + isNew, 1)
        return isNew === 1
      },
    })
    await restart()
    assert.ok(Date.now() - start < 25_000, 'the restart took longer than a client may take to repeat a refresh')
    for (const session of sessions) {
      const { sid, gen } = claimsOf(session.refresh_token)
      session.refresh_token = (await tokensOf('/auth/refresh', session)).refresh_token
      assert.deepEqual(claimsOf(session.refresh_token), { sid, gen: gen + 1 })
    }
  }
  assert.equal(
    count(`audit_events where type = ${auditCodes['session.reuse_detected']}`),
    1,
    'the one of the first test',
  )
})

test('an email whose delivery is killed arrives once', { skip, timeout }, async (t) => {
  await restart()
  for (const [round, { name, gateAt }] of places.entries()) {
    const people = crowd(`mail.${round}`)
    const received = () => people.map((person) => mailsTo(person.email).length)
    await deliverAll()
    gate.set(gateAt ?? 'open')
    for (const person of people) await post('/auth/password-reset/request', { email: person.email }, 202)
    if (gateAt) await gate.untilReached()
    await worker.kill()
    const open = count(openMails)
    t.diagnostic(`killed ${name}: ${received().join(' ')} in the mailbox, ${open} rows open`)
    // With the gate open, the Worker may finish before the kill.
    assert.ok(open > 0 || gateAt === 'open')
    gate.set('open')
    await restart()
    await deliverAll()
    assert.ok(received().every((mails) => mails === 1))
  }
})

test('in the end every row of the outbox is one email, and every email one row', { skip, timeout }, async () => {
  await restart()
  await deliverAll()
  const rows = database.rows<{ provider_id: string }>('select provider_id from emails')
  const ids = mails().map(({ id }) => id)
  assert.deepEqual(rows.map((row) => row.provider_id).toSorted(), ids.toSorted())
})

test('every kind of call was killed before its answer at least once', { skip }, () => {
  assert.equal(lostAnswers.size, 3)
  for (const [path, lost] of lostAnswers) assert.ok(lost > 0, path)
})

const openMails = 'emails where status <= 1'
const eventsOf = 'audit_events join users on users.id = user_id'

/** Starts `npm run dev` and stops it after the test, in case that fails half-way. */
function dev(t: TestContext): CommandProcess {
  const command = new CommandProcess('tools/dev.ts', env)
  t.after(async () => {
    command.signal('SIGTERM')
    await command.exitCode()
  })
  return command
}

/** Resolves when it is time to kill. */
type Moment = (answered: Promise<void>) => Promise<void>

/** During a write to the database: at the n-th write to the file. A commit is about a dozen. */
function inWrite(nth: number): Moment {
  return () => database.writes(nth)
}

/** After the n-th commit that changes anything. Writes of the same call that would follow it are then missing. */
function atCommit(nth: number): Moment {
  const tables = ['users', 'registrations', 'emails', 'audit_events', 'one_time_links', 'sessions']
  const rows = tables.map((table) => `(select count(*) from ${table})`)
  const changed = `select ${rows.join()}, (select max(updated_at) from users), (select sum(generation) from sessions)`
  return () => database.changes(changed, nth)
}

function atAnswer(answered: Promise<void>): Promise<void> {
  return answered
}

interface Calls<T> {
  path: string
  bodies: readonly T[]
  /** Between the starts of two calls, so that the kill finds each of them at a different place. */
  pauseMs: number
  /** Whether a call took effect. Asserts that it did as a whole. */
  look: (body: T) => boolean
}

/**
 * Kills the Worker in the middle of calls.
 *
 * @returns whether a call took effect. All that were answered did, and perhaps others.
 */
async function kill<T extends object>(t: TestContext, moment: Moment, calls: Calls<T>): Promise<(body: T) => boolean> {
  const { path, bodies, pauseMs, look } = calls
  const answered = Promise.withResolvers<void>()
  const time = moment(answered.promise)
  const answers = bodies.map(async (body, index) => {
    await delay(index * pauseMs)
    const answer = await api.send('POST', path, { body }).catch(() => undefined)
    // Once the Worker is dead, wrangler answers in its place, without a request id.
    if (!answer?.headers.has('x-request-id')) return undefined
    answered.resolve()
    return answer
  })
  await time
  await worker.kill()
  const done = new Map(bodies.map((body) => [body, look(body)]))
  const happened = [...done.values()].filter(Boolean).length
  const known = (await Promise.all(answers)).flatMap((answer, index) =>
    answer ? [{ answer, body: bodies[index] }] : [],
  )
  t.diagnostic(`${path}: of ${bodies.length} calls ${happened} took effect, ${known.length} were answered`)
  lostAnswers.set(path, (lostAnswers.get(path) ?? 0) + bodies.length - known.length)
  for (const { answer, body } of known) {
    assert.ok(answer.status < 300, answer.text)
    assert.ok(body && done.get(body), 'a call was answered, and its effect is lost')
  }
  return (body) => done.get(body) ?? false
}

/** Starts the Worker, unless it runs, with the data that it left. Open deliveries are dated back ten minutes, so that they are due. */
async function restart(): Promise<void> {
  if (worker.isRunning) return
  const tenMinutes = 10 * 60_000
  const datedBack = 'due_at = due_at - ?1, announce_at = announce_at - ?1'
  database.run(`update emails set ${datedBack} where status <= 1`, tenMinutes)
  await worker.start()
}

/** Fires the cron that rescues stranded emails, and waits until none is open. */
async function deliverAll(): Promise<void> {
  const query = new URLSearchParams({ cron: '*/5 * * * *', format: 'json' })
  const answer = await fetch(`${api.url}/cdn-cgi/handler/scheduled?${query}`)
  assert.deepEqual(await answer.json(), { outcome: 'ok', noRetry: false })
  await until(
    () => count(openMails) === 0,
    'the end of every delivery',
    60_000,
    () => worker.output,
  )
}

/** Inserts a user with Ada's password and a session, which is faster than a registration. */
function cloneAda(address: string): void {
  const [ada] = database.rows('select * from users where email = ?', email)
  const newId = () => bytesOfUuid(uuidv7(new Date(), newUserShard))
  const id = newId()
  database.insert('users', [{ ...ada, id, email: address }])
  const now = Date.now()
  const times = { last_used_at: now, expires_at: now + 60_000 }
  database.insert('sessions', [{ id: newId(), user_id: id, device_id: newId(), generation: 0, ...times }])
}

function crowd(name: string): { email: string; password: string }[] {
  return Array.from({ length: callsPerKill }, (_, index) => ({
    email: `${name}.${index}@example.com`,
    password: `a long password of ${name} ${index}`,
  }))
}

function count(from: string, ...values: (string | number | Uint8Array)[]): number {
  return database.rows(`select 1 from ${from}`, ...values).length
}

function mails() {
  return readJournal(join(env.STATE_DIR, 'mailbox.jsonl')).flatMap((entry) => entry.mails)
}

function mailsTo(address: string) {
  return mails().filter(({ to }) => to.includes(address))
}

/** The token of the only email to an address that links to a page. */
async function linkTo(address: string, page: string): Promise<string> {
  const tokens = () =>
    mailsTo(address).flatMap(
      ({ id, subject, text }) => linkToken({ id, subject, text: text ?? '' }, api.url, page) ?? [],
    )
  await until(() => tokens().length > 0, `a link to ${page} for ${address}`)
  const [first = '', ...others] = tokens()
  assert.deepEqual(others, [])
  return first
}

function post(path: string, body: object, expect: number, code?: string): Promise<unknown> {
  return api.call('POST', path, { body, expect, ...(code !== undefined && { code }) })
}

function tokensOf(path: string, body: object): Promise<Tokens> {
  return api.call('POST', path, { body, expect: 200 })
}

function claimsOf(token: string): { sid: string; gen: number } {
  const { sid, gen } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return { sid, gen }
}
