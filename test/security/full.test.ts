/**
 * A database that is really full: every flow is refused as a whole or done as a whole, what needs no room goes on, and
 * deletions make room again.
 */
import { env } from 'cloudflare:workers'
import { describe, expect, onTestFinished } from 'vitest'
import { uuidv7 } from '../../src/crypto/random.ts'
import { codeOf, expectOk, expectProblem } from '../support/answers.ts'
import { callOperation } from '../support/api.ts'
import { archiveCron, archiveEnv, archivedIds, databaseIds, emptyBucket, insertEventsAt } from '../support/archive.ts'
import { Caller } from '../support/caller.ts'
import { day, hour } from '../support/clock.ts'
import { it } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { type People, peopleOf } from '../support/population.ts'
import { goodPassword } from '../support/person.ts'
import { viewStatements } from '../support/readable.ts'
import { insertAttempts, insertAuditEvents, insertEmails, insertSessions } from '../support/rows.ts'
import { type Answer, type Service, startService } from '../support/service.ts'
import { smallD1 } from '../support/small-d1.ts'
import { rowsOf } from '../support/state.ts'
import { type StoreImage, normalized, revocationList, putBack, takeImage } from '../support/store-image.ts'
import { serveBreachList } from '../support/breach-list.ts'
import { scriptTurnstile } from '../support/turnstile.ts'
import { webhookSecret } from '../support/webhooks.ts'
import { type Outcome, type Request, flows } from './flows.ts'

interface Small {
  service: Service
  people: People
  anonymous: Caller
  fill: () => Promise<void>
  /** Deletes what `fill` wrote, while the file still may not grow. */
  makeRoom: () => Promise<void>
}

/** A service whose database can be full. Until the end of the test, all of the test's support uses that database. */
async function startSmall(more: Partial<Env> = {}): Promise<Small> {
  const { binding, freeze } = smallD1()
  const intact = env.DB
  Object.assign(env, { DB: binding })
  onTestFinished(() => void Object.assign(env, { DB: intact }))
  const migrations = [...env.TEST_MIGRATIONS.flatMap(({ queries }) => queries), ...viewStatements()]
  const table =
    'create table d1_migrations (id integer primary key autoincrement, name text unique, applied_at text not null)'
  for (const query of [table, 'create table filler (id integer primary key, content blob)', ...migrations])
    await binding.prepare(query).run()
  const service = startService({ env: { RESEND_WEBHOOK_SECRET: webhookSecret, DB: binding, ...more } })

  async function fill(): Promise<void> {
    for (let page = 0; page < 40; page++) await binding.prepare(fillerOf(3500)).run()
    freeze()
    const id = () => uuidv7(service.clock.now())
    // The free pages first, then the gaps in the pages of the tables to which every flow adds a row.
    const addFiller = (bytes: number) => binding.prepare(fillerOf(bytes)).run()
    await untilFull(() => addFiller(3500))
    await untilFull(() => addFiller(20))
    await untilFull(() => insertAuditEvents([{ id: id(), type: 'user.expired', country: 'ZZ' }]))
    await untilFull(() => insertEmails([{ id: id(), recipient: 'filler@example.com', status: 'sent' }]))
    await untilFull(() => insertAttempts([{ key: `account:${id()}`, series: 'filler' }]))
  }

  async function makeRoom(): Promise<void> {
    await binding.batch(
      [
        `delete from filler`,
        `delete from audit_events where country = 'ZZ'`,
        `delete from emails where recipient = 'filler@example.com'`,
        `delete from attempt_counters where series = 'filler'`,
      ].map((sql) => binding.prepare(sql)),
    )
  }
  return { service, people: peopleOf(service), anonymous: new Caller(service), fill, makeRoom }
}

/** With a key, so that SQLite takes back the statement alone when there is no room. */
const fillerOf = (bytes: number) =>
  `insert into filler select coalesce((select max(id) from filler), 0) + 1, zeroblob(${bytes})`

async function untilFull(write: () => Promise<unknown>): Promise<void> {
  try {
    for (;;) await write()
  } catch (error) {
    expect(String(error)).toContain('SQLITE_FULL')
  }
}

const send = (service: Service, [operation, input]: Request): Promise<Answer> =>
  callOperation(service, operation, input).answer
const outcomeOf = (answer: Answer): Outcome => codeOf(answer) ?? answer.status

/** Every caller is human and no password is breached. */
function answerFromOutside(): void {
  scriptTurnstile(() => Response.json({ success: true, hostname: 'accounts.example.com' }))
  serveBreachList([])
}

/**
 * What is stored, apart from attempts: one that was counted stays counted, whatever fails afterwards. The last act of a ceiling
 * is an id in bytes.
 */
function comparable(image: StoreImage, since: StoreImage) {
  const {
    attempt_counters: _attempts,
    [revocationList]: _list,
    ...tables
  } = normalized(image, { since, ignoringColumns: ['last'] })
  return tables
}

/** The flows that a full database does not stop. */
const done = new Set<string>()

describe('a database with room for the first row of an act alone', () => {
  it.for([
    { name: 'a registration' },
    { name: 'a sign-in with a wrong password' },
    { name: 'a change of password' },
    { name: 'the deletion of the own account' },
    { name: 'a suspension' },
  ])('does all or nothing of $name', async ({ name }) => {
    const { service, people, anonymous, fill, makeRoom } = await startSmall()
    captureLog()
    const request = await flows.find((flow) => flow.name === name)!.prepare({ service, people, anonymous })
    await service.deliver()
    const before = await takeImage()
    expect((await send(service, request)).status).toBeLessThan(500)
    const after = comparable(await takeImage(), before)
    await putBack(before)
    await fill()
    await env.DB.exec(`delete from audit_events where id in
      (select id from audit_events where country = 'ZZ' order by id desc limit 4)`)
    const answer = await send(service, request)
    await makeRoom()
    const image = comparable(await takeImage(), before)
    expect(image).toEqual(answer.status === 503 ? comparable(before, before) : after)
  })
})

describe('a full database', () => {
  it.for(flows)('does all or nothing of $name, and does it when there is room', async (flow) => {
    const { service, people, anonymous, fill, makeRoom } = await startSmall()
    const { entries } = captureLog()
    const request = await flow.prepare({ service, people, anonymous })
    await service.deliver()
    const tried = startService({ beside: service, env: { ...service.env, ...flow.outside?.env } })
    answerFromOutside()
    const before = await takeImage()
    expect(outcomeOf(await send(tried, request))).toBe(flow.answer)
    const after = comparable(await takeImage(), before)
    await putBack(before)

    tried.queued.splice(0)
    await fill()
    const logged = entries('request.unavailable').length
    const answer = await send(tried, request)
    await makeRoom()
    const image = comparable(await takeImage(), before)
    if (outcomeOf(answer) !== 'service_unavailable') {
      done.add(flow.name)
      expect(outcomeOf(answer)).toBe(flow.answer)
      expect(image).toEqual(after)
      return
    }
    expectProblem(answer, 503, 'service_unavailable')
    expect(answer.headers.get('Retry-After')).toBe('300')
    expect(entries('request.unavailable').slice(logged)).toMatchObject([{ reason: 'd1_full' }])
    expect(image).toEqual(comparable(before, before))
    expect(tried.queued).toEqual([])
    // The file has not grown: what was deleted is used again.
    await putBack(before)
    expect(outcomeOf(await send(tried, request))).toBe(flow.answer)
    expect(comparable(await takeImage(), before)).toEqual(after)
  })

  it('stops what adds rows, and nothing else', () => {
    // A password that is not looked at, reads, and updates in place.
    expect([...done]).toEqual([
      'a sign-in that has to wait',
      'a refresh',
      'a repeated refresh',
      'a request for the own account',
      'a list of sessions',
      'options for a new passkey',
      'a list of the own second factors',
      'the setup of an authenticator app',
      'a wrong code for an authenticator app',
      'options for a step-up',
      'a verification at the edge',
      'a list of roles',
      'a list of users',
      'a list of events',
      'a page of the archive',
      'a request for a user',
      'a webhook about a delivery in doubt',
      'a list of emails',
      'a list of a user’s sessions',
      'a list of the own activity',
      'a refresh by the cookie',
    ])
  })

  it('goes on refreshing sessions, as often as anybody wants', async () => {
    const { people, fill } = await startSmall()
    let ada = await people.signUp('ada@example.com')
    await fill()
    for (let turn = 0; turn < 50; turn++) ada = await ada.renewed()
    await ada.me()
  })

  it('lets known devices sign in as long as a page is free', async () => {
    const { people, anonymous, fill, service } = await startSmall()
    const { email } = await people.signUp('ada@example.com')
    const { device_token } = await anonymous.login({ email, password: goodPassword })
    await fill()
    // A page of a small table that is split takes two free ones.
    await env.DB.exec('delete from filler where id in (select id from filler order by id limit 30)')
    for (let turn = 0; turn < 5; turn++) {
      service.clock.advance(1000)
      await anonymous.login({ email, password: goodPassword, device_token })
    }
  })

  it('has room again after a cleanup', async () => {
    const { people, anonymous, fill, service } = await startSmall()
    const { id: userId, email } = await people.signUp('ada@example.com')
    const old = (n: number) => uuidv7(new Date(service.clock.now().getTime() - 450 * day + n))
    const expiresAt = new Date(0)
    await insertSessions(Array.from({ length: 300 }, (_, n) => ({ id: old(n), userId, expiresAt })))
    await insertAuditEvents(Array.from({ length: 300 }, (_, n) => ({ id: old(n), type: 'user.signed_in' as const })))
    await people.register('stale@example.com')
    service.clock.advance(8 * day)
    await fill()
    const login = () => anonymous.login({ email, password: goodPassword }).answer
    expectProblem(await login(), 503, 'service_unavailable')
    captureLog()
    await service.runCron('0 * * * *')
    expectOk(await login())
    // An account that nobody activates leaves an event, so it is the last to be deleted.
    expect(await rowsOf('users', 'email = ?', 'stale@example.com')).toEqual([])
  })

  it('has room again after a run of the archive, which records each object in the room of its events', async () => {
    await emptyBucket()
    const { people, anonymous, fill, service } = await startSmall(archiveEnv)
    const { email } = await people.signUp('ada@example.com')
    const archived = service.clock.now().getTime() - 92 * day
    await insertEventsAt([archived])
    await service.runCron(archiveCron)
    const due = await insertEventsAt(Array.from({ length: 600 }, (_, n) => archived + hour + n))
    await fill()
    // The record of an object needs a new page.
    await untilFull(() =>
      env.DB.exec(
        `insert into audit_seals select max(number) + 1, hour, digest, kid, first from audit_seals order by number desc limit 1`,
      ),
    )
    const login = () => anonymous.login({ email, password: goodPassword }).answer
    expectProblem(await login(), 503, 'service_unavailable')
    captureLog()
    await service.runCron(archiveCron)
    expect((await archivedIds()).slice(-due.length)).toEqual(due)
    expect((await databaseIds()).filter((id) => due.includes(id))).toEqual([])
    expectOk(await login())
  })
})
