/** No event of the audit trail is lost, doubled or changed unseen on its way into the archive and in it. */
import { env } from 'cloudflare:workers'
import { SignJWT, importJWK } from 'jose'
import { describe, expect } from 'vitest'
import { sha256 } from '../../src/crypto/digest.ts'
import { settleSeal } from '../../src/store/audit-seals.ts'
import { connect } from '../../src/store/db.ts'
import { generateKey } from '../../tools/keys/generate.ts'
import {
  archiveCron,
  archiveEnv,
  archivedIds,
  archivedObjects,
  bucket,
  bucketNames,
  databaseIds,
  emptyBucket,
  emptyBucketBeforeEach,
  insertEventsAt,
  readText,
  verdictOf,
  writeText,
} from '../support/archive.ts'
import { Clock, day, hour } from '../support/clock.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import type { Person } from '../support/person.ts'
import { insertAuditEvents } from '../support/rows.ts'
import { type Service, startService } from '../support/service.ts'
import { select } from '../support/state.ts'

const start = new Clock().now().getTime()
const [oldKey, newKey, strangerKey] = [
  generateKey('SIGNING_KEYS'),
  generateKey('SIGNING_KEYS', 'ES256'),
  generateKey('SIGNING_KEYS'),
]
const ring = (...keys: object[]) => JSON.stringify({ keys })
const withKeys = (...keys: object[]) => ({ ...archiveEnv, AUDIT_ARCHIVE_DAYS: '3000', SIGNING_KEYS: ring(...keys) })

const it = base.extend('options', async () => ({ env: withKeys(oldKey) }))
emptyBucketBeforeEach()

/** The same service with other keys. */
const rotated = (service: Service, ...keys: object[]) => startService({ beside: service, env: withKeys(...keys) })

async function expectOnce(ids: readonly string[]): Promise<void> {
  expect([...(await archivedIds()), ...(await databaseIds())].toSorted()).toEqual(ids.toSorted())
}

type Mode = 'not_done' | 'answer_lost'

/** D1 and R2 for a process that dies at one of its calls: before it goes out, or before its answer arrives. */
function mortal(dieAt: number, mode: Mode) {
  let calls = 0
  async function pass<T>(act: () => Promise<T>): Promise<T> {
    calls++
    if (calls > dieAt || (calls === dieAt && mode === 'not_done')) throw new Error('killed')
    const answer = await act()
    if (calls === dieAt) throw new Error('killed')
    return answer
  }
  const inner = new WeakMap<object, D1PreparedStatement>()
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      run: () => pass(() => statement.run()),
      all: () => pass(() => statement.all()),
      raw: () => pass(() => statement.raw()),
    } as unknown as D1PreparedStatement
    inner.set(wrapped, statement)
    return wrapped
  }
  const DB = {
    prepare: (sql: string) => wrap(env.DB.prepare(sql)),
    batch: (statements: D1PreparedStatement[]) => pass(() => env.DB.batch(statements.map((each) => inner.get(each)!))),
  }
  const AUDIT_ARCHIVE = {
    list: (options: R2ListOptions) => pass(() => bucket.list(options)),
    get: (name: string) => pass(() => bucket.get(name)),
    head: (name: string) => pass(() => bucket.head(name)),
    put: (name: string, content: ArrayBuffer, options: R2PutOptions) => pass(() => bucket.put(name, content, options)),
    delete: (names: string[]) => pass(() => bucket.delete(names)),
  }
  return { bindings: { DB, AUDIT_ARCHIVE } as unknown as Partial<Env>, count: () => calls }
}

async function empty(): Promise<void> {
  await env.DB.batch([env.DB.prepare('delete from audit_events'), env.DB.prepare('delete from audit_seals')])
  await emptyBucket()
}

describe('a run that is killed', () => {
  /** Everything at once: an object expires, another key signs, and two hours are due. */
  async function runUntil(dieAt: number, mode: Mode) {
    await empty()
    const service = startService({ env: withKeys(oldKey) })
    await insertEventsAt([start - 2999 * day])
    const kept = await insertEventsAt([start - 300 * day])
    await service.runCron(archiveCron)
    service.clock.advance(2 * day)
    const ids = [...kept, ...(await insertEventsAt([start - 91 * day, start - 91 * day + 1, start - 90 * day, start]))]
    const { bindings, count } = mortal(dieAt, mode)
    const dying = startService({ beside: service, env: { ...withKeys(newKey, oldKey), ...bindings } })
    await dying.runCron(archiveCron).catch(() => undefined)
    return { healthy: rotated(service, newKey, oldKey), ids, calls: count() }
  }

  it('at any call leaves every event exactly once, and the next run finishes', { timeout: 300_000 }, async () => {
    const { calls } = await runUntil(Infinity, 'not_done')
    expect(calls).toBeGreaterThan(12)
    for (const mode of ['not_done', 'answer_lost'] as const) {
      for (let dieAt = 1; dieAt <= calls; dieAt++) {
        const { healthy, ids } = await runUntil(dieAt, mode)
        const where = `${mode} at call ${dieAt}`
        const present = [...(await archivedIds()), ...(await databaseIds())].filter((id) => ids.includes(id))
        expect(present.toSorted(), where).toEqual(ids.toSorted())
        expect((await verdictOf(healthy)).problems, where).toEqual([])
        await healthy.runCron(archiveCron)
        await expectOnce(ids)
        expect(await databaseIds(), where).toEqual(ids.slice(-1))
        const verdict = await verdictOf(healthy)
        expect(verdict, where).toMatchObject({ problems: [], notes: [], events: ids.length - 1 })
        expect(await bucketNames(), where).toHaveLength(verdict.objects)
      }
    }
  })
})

describe('runs at the same time', () => {
  it('archive every event once, and delete no other: 20 runs, 10 rounds', async ({ service }) => {
    const ids: string[] = []
    for (let round = 0; round < 10; round++) {
      ids.push(...(await insertEventsAt([0, 1, hour, 2 * hour].map((ms) => start - 91 * day + round * 10 * hour + ms))))
      const runs = Array.from({ length: 20 }, (_, n) =>
        rotated(service, ...(n % 2 ? [oldKey, newKey] : [newKey, oldKey])),
      )
      service.clock.advance(10 * hour)
      await Promise.all(runs.map((run) => run.runCron(archiveCron)))
      await expectOnce(ids)
      expect(await databaseIds()).toEqual([])
      const verdict = await verdictOf(runs[0]!)
      expect(verdict).toMatchObject({ problems: [], notes: [], events: ids.length })
      expect(await bucketNames()).toHaveLength(verdict.objects)
    }
  })

  it(
    'keep the events of users who are deleted meanwhile: 20 callers, 10 rounds',
    { timeout: 120_000 },
    async ({ service, people, admin }) => {
      for (let round = 0; round < 10; round++) {
        const users: Person[] = []
        for (let n = 0; n < 10; n++) users.push(await people.signUp(`user-${round}-${n}@example.com`))
        const before = await databaseIds()
        const archivedBefore = await archivedIds()
        service.clock.advance(91 * day)
        const current = await people.signIn(admin.email)
        const signIn = (await databaseIds()).filter((id) => !before.includes(id))
        await Promise.all(
          users.flatMap((user) => [current.deleteUser(user), rotated(service, oldKey).runCron(archiveCron)]),
        )
        const deletions = await select<{ id: string }>("select id from audit_events where type = 'user.deleted'")
        expect(deletions).toHaveLength(10)
        await expectOnce([...archivedBefore, ...before, ...signIn, ...deletions.map(({ id }) => id)])
        expect((await verdictOf(service)).problems).toEqual([])
      }
    },
  )
})

describe('a run that comes late', () => {
  /** A service whose run looks into the bucket, then waits for another run to do everything, then goes on. */
  async function lateRun(service: Service): Promise<void> {
    const other = rotated(service, newKey, oldKey)
    const list = async (options: R2ListOptions) => {
      const found = await bucket.list(options)
      await other.runCron(archiveCron)
      return found
    }
    const late = {
      list,
      get: (name: string) => bucket.get(name),
      put: (name: string, content: ArrayBuffer, options: R2PutOptions) => bucket.put(name, content, options),
      delete: (names: string[]) => bucket.delete(names),
    }
    const env = { ...withKeys(oldKey, newKey), AUDIT_ARCHIVE: late } as unknown as Partial<Env>
    await startService({ beside: service, env }).runCron(archiveCron)
  }

  it('to an object that another one made leaves it as it is', async ({ service }) => {
    const ids = await insertEventsAt([start - 91 * day, start - 91 * day + 1])
    await lateRun(service)
    await expectOnce(ids)
    expect(await databaseIds()).toEqual([])
    expect(await verdictOf(rotated(service, newKey, oldKey))).toMatchObject({ problems: [], notes: [], events: 2 })
  })

  it('with another object of the same number deletes nothing from the database', async () => {
    const ids = await insertEventsAt([start - 92 * day, start - 91 * day])
    const db = connect(env.DB)
    const seal = { number: 1, hour: 1, first: 1, kid: 'k', digest: 'first' }
    await settleSeal(db, seal, ids.slice(0, 1))
    expect(await databaseIds()).toEqual(ids.slice(1))
    await settleSeal(db, { ...seal, digest: 'second' }, ids.slice(1))
    expect(await databaseIds()).toEqual(ids.slice(1))
    expect(await select('select digest from audit_seals')).toEqual([{ digest: 'first' }])
  })
})

describe('an object that D1 forgot, whose key was retired', () => {
  it('does not stop the archive, and a copy of it stays', async ({ service }) => {
    const times = [start - 92 * day, start - 91 * day, start - 91 * day + hour]
    const ids = await insertEventsAt(times)
    await service.runCron(archiveCron)
    const [, second, third] = await bucketNames()
    const texts = await Promise.all([readText(second!), readText(third!)])
    await env.DB.prepare('delete from audit_seals where number > 1').run()
    const rows = ids.slice(1).map((id) => ({ type: 'user.signed_in' as const, id }))
    await insertAuditEvents(rows)
    const after = rotated(service, newKey)
    const log = captureLog()
    await after.runCron(archiveCron)
    expect(log.entries('archive')).toMatchObject([{ level: 'warn', skipped: 2, first_skipped: second }])
    await expectOnce(ids)
    expect(await databaseIds()).toEqual([])
    expect((await verdictOf(after)).problems).toEqual([])
    const copies = [`replaced-${second}`, `replaced-${third}`]
    expect((await bucketNames()).filter((name) => name.startsWith('replaced-'))).toEqual(copies)
    expect(await Promise.all(copies.map(readText))).toEqual(texts)
    await after.runCron(archiveCron)
    expect(log.entries('archive')[1]).toMatchObject({ level: 'info', skipped: 0 })
  })

  it('is left where it is when the next one belongs to another hour', async ({ service }) => {
    const [late] = await insertEventsAt([start - 91 * day])
    await service.runCron(archiveCron)
    const [forgotten] = await bucketNames()
    const text = await readText(forgotten!)
    await env.DB.prepare('delete from audit_seals').run()
    const ids = [...(await insertEventsAt([start - 91 * day - hour])), late!]
    await insertAuditEvents([{ type: 'user.signed_in', id: late! }])
    const after = rotated(service, newKey)
    await after.runCron(archiveCron)
    expect([await archivedIds(), await databaseIds()]).toEqual([ids, []])
    expect((await verdictOf(after)).problems).toEqual([])
    expect(await readText(forgotten!)).toBe(text)
  })

  it('is replaced by the first of twenty runs, and no event is lost: 10 rounds', async ({ service }) => {
    for (let round = 0; round < 10; round++) {
      await empty()
      const ids = await insertEventsAt([start - 91 * day, start - 91 * day + hour])
      await rotated(service, strangerKey).runCron(archiveCron)
      await env.DB.prepare('delete from audit_seals').run()
      await insertAuditEvents(ids.map((id) => ({ type: 'user.signed_in' as const, id })))
      const after = rotated(service, newKey)
      await Promise.all(Array.from({ length: 20 }, () => rotated(service, newKey).runCron(archiveCron)))
      await expectOnce(ids)
      expect(await databaseIds()).toEqual([])
      expect((await verdictOf(after)).problems).toEqual([])
    }
  })

  it('is not replaced by a run that comes late', async ({ service }) => {
    const ids = await insertEventsAt([start - 91 * day])
    await service.runCron(archiveCron)
    await env.DB.prepare('delete from audit_seals').run()
    await insertAuditEvents(ids.map((id) => ({ type: 'user.signed_in' as const, id })))
    const other = rotated(service, newKey)
    const late = {
      list: (options: R2ListOptions) => bucket.list(options),
      get: (name: string) => bucket.get(name),
      put: async (name: string, content: ArrayBuffer, options: R2PutOptions) => {
        if (name.startsWith('replaced-')) await other.runCron(archiveCron)
        return bucket.put(name, content, options)
      },
    }
    const surroundings = { ...withKeys(newKey), AUDIT_ARCHIVE: late } as unknown as Partial<Env>
    await startService({ beside: service, env: surroundings }).runCron(archiveCron)
    await expectOnce(ids)
    expect((await verdictOf(other)).problems).toEqual([])
  })

  it('is left alone where nothing is due', async ({ service }) => {
    await insertEventsAt([start - 91 * day])
    await service.runCron(archiveCron)
    await env.DB.prepare('delete from audit_seals').run()
    const names = await bucketNames()
    await rotated(service, newKey).runCron(archiveCron)
    expect(await bucketNames()).toEqual(names)
    expect(await select('select * from audit_seals')).toEqual([])
  })
})

describe('the verification of an archive', () => {
  const world = it.extend('names', async ({ service }) => {
    await insertEventsAt([0, 1, 2, 3, 4].map((n) => start - 91 * day + n * hour))
    await service.runCron(archiveCron)
    return bucketNames()
  })
  const texts = (names: readonly string[]) => Promise.all(names.map(readText))

  world('finds nothing in one that is whole', async ({ service, names }) => {
    const verdict = await verdictOf(service)
    const newest = (await archivedObjects()).at(-1)!
    expect(verdict).toEqual({
      problems: [],
      notes: [],
      objects: 5,
      events: 5,
      since: '2026-08-23T12:00:00.000Z',
      newest: { number: 5, digest: newest.digest },
    })
    expect(names).toHaveLength(5)
  })

  world('finds a changed byte, in the events and in the seal', async ({ service, names }) => {
    const text = await readText(names[2]!)
    await writeText(names[2]!, text.replace('user.signed_in', 'user.signed_on'))
    expect((await verdictOf(service)).problems).toEqual([`${names[2]} holds other events than were sealed`])
    await writeText(
      names[2]!,
      text.replace(/.(?="})/, (letter) => (letter === 'A' ? 'Q' : 'A')),
    )
    expect((await verdictOf(service)).problems).toContain(`${names[2]} has another seal than the database says`)
    await bucket.put(names[2]!, text)
    expect((await verdictOf(service)).problems).toEqual([`${names[2]} is missing or cannot be read`])
  })

  for (const place of [0, 2, 4]) {
    world(`finds that object ${place + 1} of 5 was removed, from R2 or from D1`, async ({ service, names }) => {
      const text = await readText(names[place]!)
      await bucket.delete(names[place]!)
      expect((await verdictOf(service)).problems).toEqual([`${names[place]} is missing or cannot be read`])
      await writeText(names[place]!, text)
      const seen = (await verdictOf(service)).newest!
      await env.DB.prepare('delete from audit_seals where number = ?')
        .bind(place + 1)
        .run()
      const { problems } = await verdictOf(service, seen)
      const found = [
        'objects 1 to 1 are left out',
        'objects 3 to 3 are left out',
        `object 5 with the digest ${seen.digest} was in the archive before, and is not any more`,
      ][place / 2]
      expect(problems).toContain(found)
    })
  }

  world(
    'finds two objects that changed places, and an older one in the place of a newer',
    async ({ service, names }) => {
      const [, second, third] = await texts(names)
      await writeText(names[1]!, third!)
      await writeText(names[2]!, second!)
      const { problems } = await verdictOf(service)
      expect(problems).toContain(`${names[1]} holds another object`)
      expect(problems).toContain(`${names[2]} holds another object`)
      await writeText(names[2]!, third!)
      expect((await verdictOf(service)).problems).toContain(`${names[1]} holds another object`)
    },
  )

  world('finds a seal of somebody else, also when the database agrees with it', async ({ service, names }) => {
    const objects = await archivedObjects()
    const { lines, seal } = objects.at(-1)!
    const claims = JSON.parse(atob(seal!.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))) as object
    for (const kid of [oldKey.kid, strangerKey.kid]) {
      const forged = await new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'audit-seal+jwt', kid })
        .sign(await importJWK({ ...strangerKey }, 'EdDSA'))
      await writeText(names[4]!, `${JSON.stringify({ seal: forged })}\n${lines}`)
      expect((await verdictOf(service)).problems).toContain(`${names[4]} has another seal than the database says`)
      await env.DB.prepare('update audit_seals set digest = ? where number = 5')
        .bind(await sha256(forged))
        .run()
      const { problems } = await verdictOf(service)
      expect(problems).toHaveLength(1)
      expect(problems[0]).toMatch(kid === oldKey.kid ? /did not sign/ : /was sealed by the key/)
    }
  })

  world('finds an object that the right key sealed and that continues another archive', async ({ service, names }) => {
    const { lines, seal } = (await archivedObjects())[2]!
    const claims = JSON.parse(atob(seal!.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'))) as object
    const strange = await new SignJWT({ ...claims, previous: await sha256('another archive') })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'audit-seal+jwt', kid: oldKey.kid })
      .sign(await importJWK({ ...oldKey }, 'EdDSA'))
    await writeText(names[2]!, `${JSON.stringify({ seal: strange })}\n${lines}`)
    await env.DB.prepare('update audit_seals set digest = ? where number = 3')
      .bind(await sha256(strange))
      .run()
    expect((await verdictOf(service)).problems).toContain(`${names[2]} does not follow the object before it`)
  })

  world('finds that the end was cut off in both places, by what an earlier run printed', async ({ service, names }) => {
    const seen = (await verdictOf(service)).newest!
    await bucket.delete(names[4]!)
    await env.DB.prepare('delete from audit_seals where number = 5').run()
    expect((await verdictOf(service)).problems).toEqual([])
    expect((await verdictOf(service, seen)).problems).toEqual([
      `object 5 with the digest ${seen.digest} was in the archive before, and is not any more`,
    ])
  })

  world(
    'holds across a rotation: the old key is not needed once its successor has sealed',
    async ({ service, names }) => {
      const both = rotated(service, newKey, oldKey)
      await both.runCron(archiveCron)
      const after = rotated(service, newKey)
      expect(await verdictOf(after)).toMatchObject({ problems: [], notes: [], objects: 6 })
      await writeText(names[0]!, (await readText(names[1]!)).replace('user.signed_in', 'user.signed_on'))
      expect((await verdictOf(after)).problems).not.toEqual([])
    },
  )

  world('says when a key was gone before its successor sealed', async ({ service, names }) => {
    expect((await verdictOf(rotated(service, newKey))).problems).toHaveLength(1)
    const early = rotated(service, newKey)
    await early.runCron(archiveCron)
    const { problems, notes } = await verdictOf(early)
    expect(problems).toEqual([])
    expect(notes).toEqual(
      names
        .toReversed()
        .map(
          (name) => `${name} was sealed by the key ${oldKey.kid}, which no later seal names: only the digests hold it`,
        ),
    )
  })

  world('holds across expiry, and a removal does not pass for expiry', async ({ service, names }) => {
    service.clock.advance(2909 * day + 2 * hour)
    await service.runCron(archiveCron)
    const verdict = await verdictOf(service)
    expect(verdict).toMatchObject({ problems: [], notes: [] })
    expect(verdict.objects).toBeLessThan(5)
    const left = (await bucketNames()).filter((name) => names.includes(name))
    await bucket.delete(left[0]!)
    await env.DB.prepare('delete from audit_seals where number = (select min(number) from audit_seals)').run()
    expect((await verdictOf(service)).problems).toHaveLength(1)
  })

  world('does not take objects for expired that only the database calls old', async ({ service, names }) => {
    const seen = (await verdictOf(service)).newest!
    await env.DB.prepare('update audit_seals set hour = hour - 24 * 4000 where number <= 3').run()
    await insertEventsAt([start - 90 * day - 1])
    for (let run = 0; run < 2; run++) await service.runCron(archiveCron)
    expect(await bucketNames()).toEqual([...names, expect.stringContaining('-00000006.')])
    const { problems, newest } = await verdictOf(service, seen)
    expect(problems.filter((problem) => problem.endsWith('is missing or cannot be read'))).toHaveLength(3)
    expect(newest?.number).toBe(6)
  })

  world(
    'says since when there are events, and when the object of an earlier run expired',
    async ({ service, names }) => {
      expect(names).toHaveLength(5)
      const seen = { number: 1, digest: (await archivedObjects())[0]!.digest }
      expect(await verdictOf(service, seen)).toMatchObject({
        problems: [],
        notes: [],
        since: '2026-08-23T12:00:00.000Z',
      })
      service.clock.advance(2909 * day + 2 * hour)
      await service.runCron(archiveCron)
      const { problems, notes, since } = await verdictOf(service, seen)
      expect(problems).toEqual([])
      expect(notes).toEqual(['object 1 has expired, so --seen says nothing'])
      expect(since).toBe('2026-08-23T14:00:00.000Z')
    },
  )
})
