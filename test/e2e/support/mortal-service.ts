import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { bytesOfUuid, newUserShard, uuidv7 } from '../../../src/crypto/random.ts'
import { Api } from '../../../tools/demo/api.ts'
import { linkToken } from '../../../tools/demo/inbox.ts'
import { readJournal } from '../../../tools/mailbox/journal.ts'
import { type MailboxServer, startMailbox } from '../../../tools/mailbox/server.ts'
import { until } from './command-process.ts'
import { freePort } from './free-port.ts'
import { KillableWorker } from './killable-worker.ts'
import { LocalDatabase } from './local-database.ts'
import { type MailboxGate, startMailboxGate } from './mailbox-gate.ts'
import { prepareState } from './prepare.ts'

/** Resolves when it is time to kill. */
export type Moment = (database: LocalDatabase, answered: Promise<void>) => Promise<void>

/** During a write to the database: at the n-th write to the file. A commit is about a dozen. */
export function inWrite(nth: number): Moment {
  return (database) => database.writes(nth)
}

/** After the n-th commit that changes anything. Writes of the same call that would follow it are then missing. */
export function atCommit(nth: number, tables: readonly string[] = []): Moment {
  const counted = ['users', 'registrations', 'emails', 'audit_events', 'one_time_links', 'sessions', ...tables]
  const rows = counted.map((table) => `(select count(*) from ${table})`)
  const changed = `select ${rows.join()}, (select max(updated_at) from users), (select sum(generation) from sessions)`
  return (database) => database.changes(changed, nth)
}

export function atAnswer(_: LocalDatabase, answered: Promise<void>): Promise<void> {
  return answered
}

export interface Calls<T> {
  path: string
  bodies: readonly T[]
  /** The access token of a call. */
  token?: (body: T) => string
  /** Between the starts of two calls, so that the kill finds each of them at a different place. */
  pauseMs: number
  /** Whether a call took effect. Asserts that it did as a whole. */
  look: (body: T) => boolean
}

export const openMails = 'emails where status <= 1'
export const eventsOf = 'audit_events join users on users.id = user_id'

/** A service whose Worker is killed in the middle of calls. The mailbox stands for Resend and keeps running. */
export class MortalService {
  /** Unanswered calls by path. Summed up, because on a busy machine a single kill may come too late. */
  readonly lostAnswers = new Map<string, number>()
  readonly env: { PORT: string; MAILBOX_PORT: string; STATE_DIR: string }
  readonly api: Api
  readonly database: LocalDatabase
  worker!: KillableWorker
  gate!: MailboxGate
  #mailbox: MailboxServer | undefined

  private constructor(env: MortalService['env']) {
    this.env = env
    this.api = new Api(`http://localhost:${env.PORT}`)
    this.database = new LocalDatabase(env.STATE_DIR)
  }

  static async prepare(): Promise<MortalService> {
    const [port, mailboxPort] = [await freePort(), await freePort()]
    return new MortalService({ PORT: `${port}`, MAILBOX_PORT: `${mailboxPort}`, STATE_DIR: await prepareState() })
  }

  /** Starts the mailbox. `restart` starts the Worker. */
  async startMailbox(): Promise<void> {
    this.#mailbox = await startMailbox(Number(this.env.MAILBOX_PORT), this.env.STATE_DIR)
    this.gate = await startMailboxGate(this.#mailbox.url)
    this.worker = new KillableWorker({ ...this.env, MAILBOX_URL: this.gate.url })
  }

  async end(): Promise<void> {
    await this.worker?.kill()
    await this.gate?.stop()
    await this.#mailbox?.stop()
    rmSync(this.env.STATE_DIR, { recursive: true, force: true })
  }

  /**
   * Kills the Worker in the middle of calls.
   *
   * @returns whether a call took effect. All that were answered did, and perhaps others.
   */
  async kill<T extends object>(t: TestContext, moment: Moment, calls: Calls<T>): Promise<(body: T) => boolean> {
    const { path, bodies, token, pauseMs, look } = calls
    const answered = Promise.withResolvers<void>()
    const time = moment(this.database, answered.promise)
    const answers = bodies.map(async (body, index) => {
      await delay(index * pauseMs)
      const call = { body, ...(token && { token: token(body) }) }
      const answer = await this.api.send('POST', path, call).catch(() => undefined)
      // Once the Worker is dead, wrangler answers in its place, without a request id.
      if (!answer?.headers.has('x-request-id')) return undefined
      answered.resolve()
      return answer
    })
    await time
    await this.worker.kill()
    const done = new Map(bodies.map((body) => [body, look(body)]))
    const happened = [...done.values()].filter(Boolean).length
    const known = (await Promise.all(answers)).flatMap((answer, index) =>
      answer ? [{ answer, body: bodies[index] }] : [],
    )
    t.diagnostic(`${path}: of ${bodies.length} calls ${happened} took effect, ${known.length} were answered`)
    this.lostAnswers.set(path, (this.lostAnswers.get(path) ?? 0) + bodies.length - known.length)
    for (const { answer, body } of known) {
      assert.ok(answer.status < 300, answer.text)
      assert.ok(body && done.get(body), 'a call was answered, and its effect is lost')
    }
    return (body) => done.get(body) ?? false
  }

  /** Starts the Worker, unless it runs, with the data that it left. Open deliveries are dated back, so that they are due. */
  async restart(): Promise<void> {
    if (this.worker.isRunning) return
    const tenMinutes = 10 * 60_000
    const datedBack = 'due_at = due_at - ?1, announce_at = announce_at - ?1'
    this.database.run(`update emails set ${datedBack} where status <= 1`, tenMinutes)
    await this.worker.start()
  }

  /** Fires the cron that rescues stranded emails, and waits until none is open. */
  async deliverAll(): Promise<void> {
    const query = new URLSearchParams({ cron: '*/5 * * * *', format: 'json' })
    const answer = await fetch(`${this.api.url}/cdn-cgi/handler/scheduled?${query}`)
    assert.deepEqual(await answer.json(), { outcome: 'ok', noRetry: false })
    await until(
      () => this.count(openMails) === 0,
      'the end of every delivery',
      60_000,
      () => this.worker.output,
    )
  }

  /** Inserts a user with the password of another one and a session, which is faster than a registration. */
  clone(email: string, address: string): void {
    const [original] = this.database.rows('select * from users where email = ?', email)
    const newId = () => bytesOfUuid(uuidv7(new Date(), newUserShard))
    const id = newId()
    this.database.insert('users', [{ ...original, id, email: address }])
    const now = Date.now()
    const times = { last_used_at: now, expires_at: now + 60_000 }
    this.database.insert('sessions', [{ id: newId(), user_id: id, device_id: newId(), generation: 0, ...times }])
  }

  count(from: string, ...values: (string | number | Uint8Array)[]): number {
    return this.database.rows(`select 1 from ${from}`, ...values).length
  }

  mails() {
    return readJournal(join(this.env.STATE_DIR, 'mailbox.jsonl')).flatMap((entry) => entry.mails)
  }

  mailsTo(address: string) {
    return this.mails().filter(({ to }) => to.includes(address))
  }

  /** The token of the only email to an address that links to a page. */
  async linkTo(address: string, page: string): Promise<string> {
    const tokens = () =>
      this.mailsTo(address).flatMap(
        ({ id, subject, text }) => linkToken({ id, subject, text: text ?? '' }, this.api.url, page) ?? [],
      )
    await until(() => tokens().length > 0, `a link to ${page} for ${address}`)
    const [first = '', ...others] = tokens()
    assert.deepEqual(others, [])
    return first
  }
}
