/**
 * Restarts and SIGKILL: a restart loses nothing, and a call that is killed half-way takes effect as a whole or not at all.
 *
 * Limit: this is not a power failure. The operating system still completes the writes of a killed process.
 *
 * `E2E_ROUNDS` is the number of moments at which each kind of call is killed: 1 by default, all of them in CI.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type TestContext, after, before, test } from 'node:test'
import type { Tokens } from '../../tools/demo/api.ts'
import { bytesOfUuid } from '../../src/crypto/random.ts'
import { auditCodes } from '../../src/store/schema/audit.ts'
import { newPassword } from '../../tools/demo/person.ts'
import { CommandProcess, until } from './support/command-process.ts'
import { stopCleanly } from './support/dev-server.ts'
import type { GatePosition } from './support/mailbox-gate.ts'
import { MortalService, atAnswer, atCommit, eventsOf, inWrite, openMails } from './support/mortal-service.ts'

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

let service: MortalService

before(async () => {
  service = await MortalService.prepare()
})

after(() => service?.end())

test('a refresh token used before a restart is detected as replayed after it', { timeout }, async (t) => {
  const first = dev(t)
  await first.untilSaid('Postern runs.')
  await post('/auth/register', { email, password }, 202)
  const stolen = await tokensOf('/auth/activate', { token: await service.linkTo(email, '/activate'), password })
  const second = await tokensOf('/auth/refresh', { refresh_token: stolen.refresh_token })
  const newest = await tokensOf('/auth/refresh', { refresh_token: second.refresh_token })
  await stopCleanly(first, 'SIGINT')

  const again = dev(t)
  await again.untilSaid('Postern runs.')
  await service.api.call('GET', '/users/me', { token: newest.access_token, expect: 200 })
  await post('/auth/refresh', { refresh_token: stolen.refresh_token }, 401, 'refresh_token_reused')
  await post('/auth/refresh', { refresh_token: newest.refresh_token }, 401, 'invalid_refresh_token')
  await post('/auth/refresh', { refresh_token: second.refresh_token }, 401, 'invalid_refresh_token')
  await service.api.call('GET', '/users/me', { token: newest.access_token, expect: 401, code: 'invalid_token' })
  await until(
    () => service.mailsTo(email).some(({ subject }) => /ended a session/.test(subject)),
    'the email about the theft',
  )
  await stopCleanly(again, 'SIGTERM')

  for (const round of momentsOfWrites.keys())
    for (const person of crowd(`reset.${round}`)) service.clone(email, person.email)
  for (const round of places.keys()) for (const person of crowd(`mail.${round}`)) service.clone(email, person.email)
  // From here on only the Worker is killed.
  await service.startMailbox()
})

test('a killed registration took effect with its email, or not at all', { skip, timeout }, async (t) => {
  await service.restart()
  for (const [round, moment] of momentsOfWrites.entries()) {
    const people = crowd(`new.${round}`)
    const isDone = await service.kill(t, moment, {
      path: '/auth/register',
      bodies: people,
      pauseMs: 60,
      look({ email: address }) {
        const user = service.count('users where email = ?', address)
        const traces = {
          attempt: service.count('registrations where email = ?', address),
          event: service.count(`${eventsOf} where type = ${auditCodes['user.registered']} and email = ?`, address),
          mail: service.count(`emails where template = 'registration' and recipient = ?`, address),
        }
        assert.deepEqual(traces, { attempt: user, event: user, mail: user })
        return user === 1
      },
    })
    await service.restart()
    for (const person of people) if (!isDone(person)) await post('/auth/register', person, 202)
    await service.deliverAll()
    for (const person of people) {
      assert.equal(service.mailsTo(person.email).length, 1)
      const token = await service.linkTo(person.email, '/activate')
      await tokensOf('/auth/activate', { token, password: person.password })
    }
  }
})

test('a killed reset leaves the old password and its link, or the new password', { skip, timeout }, async (t) => {
  await service.restart()
  for (const [round, moment] of momentsOfWrites.entries()) {
    const people: { email: string; token: string; new_password: string }[] = []
    for (const { email: address, password: newOne } of crowd(`reset.${round}`)) {
      await post('/auth/password-reset/request', { email: address }, 202)
      people.push({ email: address, token: await service.linkTo(address, '/reset-password'), new_password: newOne })
    }
    // Waits until nothing but the calls will be written.
    await service.deliverAll()
    const isDone = await service.kill(t, moment, {
      path: '/auth/password-reset/complete',
      bodies: people,
      pauseMs: 60,
      look({ email: address }) {
        const event = service.count(
          `${eventsOf} where type = ${auditCodes['user.password_reset']} and email = ?`,
          address,
        )
        const traces = {
          mail: service.count(`emails where template = 'password_changed' and recipient = ?`, address),
          links: service.count('one_time_links join users on users.id = user_id where email = ?', address),
          sessions: service.count('sessions join users on users.id = user_id where email = ?', address),
        }
        assert.deepEqual(traces, { mail: event, links: 1 - event, sessions: 1 - event })
        return event === 1
      },
    })
    await service.restart()
    for (const person of people) {
      const [withOld, withNew, withLink] = isDone(person) ? [401, 200, 400] : [200, 401, 204]
      await post('/auth/login', { email: person.email, password }, withOld)
      await post('/auth/login', { email: person.email, password: person.new_password }, withNew)
      await post('/auth/password-reset/complete', person, withLink)
    }
  }
})

test('a client whose refresh was killed may repeat it with the same token', { skip, timeout }, async (t) => {
  await service.restart()
  const sessions: { refresh_token: string }[] = []
  for (let index = 0; index < 8; index++) sessions.push(await tokensOf('/auth/login', { email, password }))
  for (const moment of momentsOfRefresh) {
    const start = Date.now()
    await service.kill(t, moment, {
      path: '/auth/refresh',
      bodies: sessions,
      pauseMs: 3,
      look({ refresh_token: token }) {
        const { sid, gen } = claimsOf(token)
        const isOld = service.count('sessions where id = ? and generation = ?', bytesOfUuid(sid), gen)
        const isNew = service.count('sessions where id = ? and generation = ?', bytesOfUuid(sid), gen + 1)
        assert.equal(isOld + isNew, 1)
        return isNew === 1
      },
    })
    await service.restart()
    assert.ok(Date.now() - start < 25_000, 'the restart took longer than a client may take to repeat a refresh')
    for (const session of sessions) {
      const { sid, gen } = claimsOf(session.refresh_token)
      session.refresh_token = (await tokensOf('/auth/refresh', session)).refresh_token
      assert.deepEqual(claimsOf(session.refresh_token), { sid, gen: gen + 1 })
    }
  }
  assert.equal(
    service.count(`audit_events where type = ${auditCodes['session.reuse_detected']}`),
    1,
    'the one of the first test',
  )
})

test('an email whose delivery is killed arrives once', { skip, timeout }, async (t) => {
  await service.restart()
  for (const [round, { name, gateAt }] of places.entries()) {
    const people = crowd(`mail.${round}`)
    const received = () => people.map((person) => service.mailsTo(person.email).length)
    await service.deliverAll()
    service.gate.set(gateAt ?? 'open')
    for (const person of people) await post('/auth/password-reset/request', { email: person.email }, 202)
    if (gateAt) await service.gate.untilReached()
    await service.worker.kill()
    const open = service.count(openMails)
    t.diagnostic(`killed ${name}: ${received().join(' ')} in the mailbox, ${open} rows open`)
    // With the gate open, the Worker may finish before the kill.
    assert.ok(open > 0 || gateAt === 'open')
    service.gate.set('open')
    await service.restart()
    await service.deliverAll()
    assert.ok(received().every((mails) => mails === 1))
  }
})

test('in the end every row of the outbox is one email, and every email one row', { skip, timeout }, async () => {
  await service.restart()
  await service.deliverAll()
  const rows = service.database.rows<{ provider_id: string }>('select provider_id from emails')
  const ids = service.mails().map(({ id }) => id)
  assert.deepEqual(rows.map((row) => row.provider_id).toSorted(), ids.toSorted())
})

test('every kind of call was killed before its answer at least once', { skip }, () => {
  assert.equal(service.lostAnswers.size, 3)
  for (const [path, lost] of service.lostAnswers) assert.ok(lost > 0, path)
})

/** Starts `npm run dev` and stops it after the test, in case that fails half-way. */
function dev(t: TestContext): CommandProcess {
  const command = new CommandProcess('tools/dev.ts', service.env)
  t.after(async () => {
    command.signal('SIGTERM')
    await command.exitCode()
  })
  return command
}

function crowd(name: string): { email: string; password: string }[] {
  return Array.from({ length: callsPerKill }, (_, index) => ({
    email: `${name}.${index}@example.com`,
    password: `a long password of ${name} ${index}`,
  }))
}

function post(path: string, body: object, expect: number, code?: string): Promise<unknown> {
  return service.api.call('POST', path, { body, expect, ...(code !== undefined && { code }) })
}

function tokensOf(path: string, body: object): Promise<Tokens> {
  return service.api.call('POST', path, { body, expect: 200 })
}

function claimsOf(token: string): { sid: string; gen: number } {
  const { sid, gen } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return { sid, gen }
}
