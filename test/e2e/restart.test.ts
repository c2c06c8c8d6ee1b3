/**
 * Stops and kills. A restart forgets nothing, and SIGKILL in the middle of a call leaves nothing half done.
 *
 * Not shown: a machine that loses its power. What a killed process had written is still written by the system.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Api, type Tokens } from '../../tools/demo/api.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import { linkToken } from '../../tools/demo/inbox.ts'
import { newPassword } from '../../tools/demo/person.ts'
import { readJournal } from '../../tools/mailbox/journal.ts'
import { type MailboxServer, startMailbox } from '../../tools/mailbox/server.ts'
import { CommandProcess, until } from './support/command-process.ts'
import { freePort } from './support/free-port.ts'
import { KillableWorker } from './support/killable-worker.ts'
import { LocalDatabase } from './support/local-database.ts'
import { type GatePosition, type MailboxGate, startMailboxGate } from './support/mailbox-gate.ts'

const timeout = 300_000
/** A process is killed with all that it has started, which is found there. */
const skip = existsSync('/proc/self/stat') ? false : 'there is no /proc'

const email = 'ada@example.com'
const password = newPassword()
const callsPerKill = 4
const momentsOfWrites = [inWrite(1), atCommit(1), atCommit(2)]
/** Where a mail is when the Worker is killed; the gate makes the moment last. */
const places: { name: string; gateAt?: GatePosition }[] = [
  { name: 'with the mails in the queue' },
  { name: 'before the mailbox has them', gateAt: 'closed before the mailbox' },
  { name: 'before the Worker knows that the mailbox has one', gateAt: 'closed after the mailbox' },
  { name: 'as the Worker gets to know', gateAt: 'open' },
]

/** How many calls of a path were not answered. On a busy machine one of the kills may come when all is over. */
const lostAnswers = new Map<string, number>()

let env: { PORT: string; MAILBOX_PORT: string; STATE_DIR: string }
let api: Api
let database: LocalDatabase
let mailbox: MailboxServer
let gate: MailboxGate
let worker: KillableWorker

before(async () => {
  const [port, mailboxPort] = [await freePort(), await freePort()]
  env = { PORT: `${port}`, MAILBOX_PORT: `${mailboxPort}`, STATE_DIR: mkdtempSync(join(tmpdir(), 'postern-')) }
  api = new Api(`http://127.0.0.1:${port}`)
  database = new LocalDatabase(env.STATE_DIR)
})

after(async () => {
  await worker?.kill()
  await gate?.stop()
  await mailbox?.stop()
  rmSync(env.STATE_DIR, { recursive: true, force: true })
})

test('a refresh token that was used before a restart is theft after it', { timeout }, async (t) => {
  const first = dev(t)
  await first.untilSaid('Postern runs.')
  await post('/auth/register', { email, password }, 202)
  const stolen = await tokensOf('/auth/activate', { token: await linkTo(email, '/activate'), password })
  const second = await tokensOf('/auth/refresh', { refresh_token: stolen.refresh_token })
  const newest = await tokensOf('/auth/refresh', { refresh_token: second.refresh_token })
  first.signal('SIGINT')
  assert.equal(await first.exitCode(), 0, first.output)

  const again = dev(t)
  await again.untilSaid('Postern runs.')
  await api.call('GET', '/users/me', { token: newest.access_token, expect: 200 })
  await post('/auth/refresh', { refresh_token: stolen.refresh_token }, 401, 'refresh_token_reused')
  await post('/auth/refresh', { refresh_token: newest.refresh_token }, 401, 'invalid_refresh_token')
  await post('/auth/refresh', { refresh_token: second.refresh_token }, 401, 'invalid_refresh_token')
  await api.call('GET', '/users/me', { token: newest.access_token, expect: 401, code: 'invalid_token' })
  await until(() => mailsTo(email).some(({ subject }) => /ended a session/.test(subject)), 'the mail about the theft')
  again.signal('SIGINT')
  assert.equal(await again.exitCode(), 0, again.output)

  for (const round of momentsOfWrites.keys()) for (const person of crowd(`reset.${round}`)) cloneAda(person.email)
  for (const round of places.keys()) for (const person of crowd(`mail.${round}`)) cloneAda(person.email)
  // What follows is killed, and only the Worker: Resend is somebody else's and goes on.
  mailbox = await startMailbox(Number(env.MAILBOX_PORT), env.STATE_DIR)
  gate = await startMailboxGate(mailbox.url)
  worker = new KillableWorker({ ...env, MAILBOX_URL: gate.url })
})

test(
  'a registration that is killed happened as a whole, mail included, or not at all',
  { skip, timeout },
  async (t) => {
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
            event: count(`${eventsOf} where type = 'user.registered' and email = ?`, address),
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
  },
)

test(
  'a reset that is killed leaves the old password and a link, or the new one and none',
  { skip, timeout },
  async (t) => {
    await restart()
    for (const [round, moment] of momentsOfWrites.entries()) {
      const people: { email: string; token: string; new_password: string }[] = []
      for (const { email: address, password: newOne } of crowd(`reset.${round}`)) {
        await post('/auth/password-reset/request', { email: address }, 202)
        people.push({ email: address, token: await linkTo(address, '/reset-password'), new_password: newOne })
      }
      // Nothing else is to be written when the calls come.
      await deliverAll()
      const isDone = await kill(t, moment, {
        path: '/auth/password-reset/complete',
        bodies: people,
        pauseMs: 60,
        look({ email: address }) {
          const event = count(`${eventsOf} where type = 'user.password_reset' and email = ?`, address)
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
  },
)

test(
  'a client whose refresh was killed asks again with the same token, and is no thief',
  { skip, timeout },
  async (t) => {
    await restart()
    const sessions: { refresh_token: string }[] = []
    for (let index = 0; index < 8; index++) sessions.push(await tokensOf('/auth/login', { email, password }))
    for (const moment of [inWrite(1), atCommit(1), atAnswer]) {
      const start = Date.now()
      await kill(t, moment, {
        path: '/auth/refresh',
        bodies: sessions,
        pauseMs: 3,
        look({ refresh_token: token }) {
          const { sid, gen } = claimsOf(token)
          const isOld = count('sessions where id = ? and generation = ?', sid, gen)
          const isNew = count('sessions where id = ? and generation = ?', sid, gen + 1)
          assert.equal(isOld + isNew, 1)
          return isNew === 1
        },
      })
      await restart()
      assert.ok(Date.now() - start < 25_000, 'the restart took as long as a client may take: nothing to be seen here')
      for (const session of sessions) {
        const { sid, gen } = claimsOf(session.refresh_token)
        session.refresh_token = (await tokensOf('/auth/refresh', session)).refresh_token
        assert.deepEqual(claimsOf(session.refresh_token), { sid, gen: gen + 1 })
      }
    }
    assert.equal(count(`audit_events where type = 'session.reuse_detected'`), 1, 'the one of the first test')
  },
)

test('a mail whose delivery is killed comes once', { skip, timeout }, async (t) => {
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
    // What the Worker does with an answer that it gets is over soon, perhaps before the kill.
    assert.ok(open > 0 || gateAt === 'open')
    gate.set('open')
    await restart()
    await deliverAll()
    assert.ok(received().every((mails) => mails === 1))
  }
})

test('after all of this every row of the outbox is one mail, and every mail one row', { skip, timeout }, async () => {
  await restart()
  await deliverAll()
  const rows = database.rows<{ provider_id: string }>('select provider_id from emails')
  const ids = mails().map(({ id }) => id)
  assert.deepEqual(rows.map((row) => row.provider_id).toSorted(), ids.toSorted())
})

test('the kills came in the middle', { skip }, () => {
  assert.equal(lostAnswers.size, 3)
  for (const [path, lost] of lostAnswers) assert.ok(lost > 0, path)
})

const openMails = `emails where status in ('queued', 'sending')`
const eventsOf = 'audit_events join users on users.id = user_id'

/** The whole of `npm run dev`; a test that fails half-way leaves nothing running. */
function dev(t: TestContext): CommandProcess {
  const command = new CommandProcess('tools/dev.ts', env)
  t.after(async () => {
    command.signal('SIGTERM')
    await command.exitCode()
  })
  return command
}

/** When to kill, counted from the first call. */
type Moment = (answered: Promise<void>) => Promise<void>

/** While the database is being written: at the n-th piece that reaches the file system. A commit is a dozen. */
function inWrite(nth: number): Moment {
  return () => database.writes(nth)
}

/** As soon as the n-th commit that changes anything is to be seen: what a call has left to write after it is missing then. */
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
  /** From the start of one call to that of the next, so that the kill finds each at another place. */
  pauseMs: number
  /** Sees whether a call happened, and that it did as a whole. */
  look: (body: T) => boolean
}

/**
 * Kills the Worker in the middle of calls.
 *
 * @returns which of them happened: all that were answered, and perhaps more
 */
async function kill<T extends object>(t: TestContext, moment: Moment, calls: Calls<T>): Promise<(body: T) => boolean> {
  const { path, bodies, pauseMs, look } = calls
  const answered = Promise.withResolvers<void>()
  const time = moment(answered.promise)
  const answers = bodies.map(async (body, index) => {
    await delay(index * pauseMs)
    const answer = await api.send('POST', path, { body }).catch(() => undefined)
    // What wrangler says in the Worker's stead, once that is dead, is no answer.
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
  t.diagnostic(`${path}: of ${bodies.length} calls ${happened} happened, ${known.length} were answered`)
  lostAnswers.set(path, (lostAnswers.get(path) ?? 0) + bodies.length - known.length)
  for (const { answer, body } of known) {
    assert.ok(answer.status < 300, answer.text)
    assert.ok(body && done.get(body), 'it was answered, and is lost')
  }
  return (body) => done.get(body) ?? false
}

/** Starts the Worker, if it is dead, on what it left: ten minutes later, as far as mails under way can tell. */
async function restart(): Promise<void> {
  if (worker.isRunning) return
  const tenMinutes = 10 * 60_000
  database.run(`update emails set due_at = due_at - ? where status in ('queued', 'sending')`, tenMinutes)
  await worker.start()
}

/** Lets the job of every five minutes find what was stranded, and waits until nothing is open. */
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

/** Somebody with Ada's password and a session, without the time it takes to sign up. */
function cloneAda(address: string): void {
  const [ada] = database.rows('select * from users where email = ?', email)
  const id = uuidv7(new Date())
  database.insert('users', [{ ...ada, id, email: address }])
  const now = Date.now()
  const times = { created_at: now, last_used_at: now, expires_at: now + 60_000 }
  database.insert('sessions', [{ id: uuidv7(new Date()), user_id: id, generation: 0, ...times }])
}

function crowd(name: string): { email: string; password: string }[] {
  return Array.from({ length: callsPerKill }, (_, index) => ({
    email: `${name}.${index}@example.com`,
    password: `a long password of ${name} ${index}`,
  }))
}

function count(from: string, ...values: (string | number)[]): number {
  return database.rows(`select 1 from ${from}`, ...values).length
}

function mails() {
  return readJournal(join(env.STATE_DIR, 'mailbox.jsonl')).flatMap((entry) => entry.mails)
}

function mailsTo(address: string) {
  return mails().filter(({ to }) => to.includes(address))
}

/** The token in the only mail to an address that leads to a page. */
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
