/** What leaves D1 for the archive, when, and under which names. */
import { env } from 'cloudflare:workers'
import { decodeJwt } from 'jose'
import { describe, expect } from 'vitest'
import { readSettings } from '../../src/config/settings.ts'
import { type SealClaims, signSeal } from '../../src/crypto/audit-seal.ts'
import { splitObject } from '../../src/services/audit/archive-object.ts'
import {
  archiveCron,
  archiveEnv,
  archivedIds,
  archivedObjects,
  bucket,
  bucketNames,
  databaseIds,
  emptyBucketBeforeEach,
  insertEventsAt,
  readText,
  writeText,
} from '../support/archive.ts'
import { day, hour } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { insertAuditEvents } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { select } from '../support/state.ts'
import { signingKeys, signingKeysOtherFirst } from '../support/wrong-tokens.ts'

const it = base.extend('options', async () => ({ env: { ...archiveEnv, SIGNING_KEYS: signingKeys } }))
emptyBucketBeforeEach()

const start = Date.UTC(2026, 10, 22, 12)
const cleanup = '0 * * * *'

describe('the archive of the audit trail', () => {
  it('takes the hours that ended 90 days ago, one object each, and no hour twice', async ({ service }) => {
    const old = await insertEventsAt([
      start - 90 * day - 2 * hour,
      start - 90 * day - hour - 1,
      start - 90 * day - hour,
      start - 90 * day - 1,
    ])
    const young = await insertEventsAt([start - 90 * day, start - 89 * day])
    const names = ['audit/2026/08/24/10-00000001.ndjson.gz', 'audit/2026/08/24/11-00000002.ndjson.gz']
    for (let run = 0; run < 2; run++) {
      await service.runCron(archiveCron)
      expect(await archivedIds()).toEqual(old)
      expect(await databaseIds()).toEqual(young)
      expect(await bucketNames()).toEqual(names)
    }
  })

  it('waits for the end of an hour, however old its first event is', async ({ service, clock }) => {
    clock.advance(hour - 1)
    await insertEventsAt([start - 90 * day])
    await service.runCron(archiveCron)
    expect(await bucketNames()).toEqual([])
    clock.advance(1)
    await service.runCron(archiveCron)
    expect(await archivedIds()).toHaveLength(1)
  })

  it('keeps an event as the list showed it', async ({ service, clock, admin, people, ada }) => {
    await admin.suspend(ada)
    const { events } = await admin.auditEvents({ user_id: ada.id })
    clock.advance(91 * day)
    await service.runCron(archiveCron)
    const later = await people.signIn(admin.email)
    expect((await later.auditEvents({ user_id: ada.id })).events).toEqual([])
    const { objects } = await later.auditArchive({ user_id: ada.id })
    const lines = objects.flatMap((object) => object.lines!.split('\n').filter(Boolean))
    expect(lines.map((line) => JSON.parse(line) as unknown).toReversed()).toEqual(events)
    expect(events.length).toBeGreaterThan(1)
  })

  it('splits an hour of many events, and a run stops after 20 objects', { timeout: 120_000 }, async ({ service }) => {
    const times = Array.from({ length: 12_000 }, (_, n) => start - 100 * day + n)
    const ids = await insertEventsAt([...times, ...Array.from({ length: 20 }, (_, n) => start - 99 * day + n * hour)])
    const { entries } = captureLog()
    const meter = countCosts(service.env)
    await startService({ beside: service, env: { ...service.env, ...meter.bindings } }).runCron(archiveCron)
    expect(entries('archive')).toMatchObject([{ objects: 20, events: 12_017, expired: 0, has_more: true }])
    expect(meter.take().statements.length, 'D1 allows 1,000').toBeLessThan(200)
    await service.runCron(archiveCron)
    expect(entries('archive')[1]).toMatchObject({ objects: 3, events: 3, has_more: false })
    expect(await archivedIds()).toEqual(ids)
    expect(await databaseIds()).toEqual([])
    const sizes = (await archivedObjects()).map(({ lines }) => lines!.split('\n').length - 1)
    expect(sizes.slice(0, 4)).toEqual([5000, 5000, 2000, 1])
  })

  it('keeps an event that comes late into an hour that was archived', async ({ service }) => {
    const times = [start - 91 * day, start - 90 * day - 1]
    const ids = await insertEventsAt(times)
    await service.runCron(archiveCron)
    const late = await insertEventsAt([start - 92 * day])
    await service.runCron(archiveCron)
    expect(await archivedIds()).toEqual([...ids, ...late])
    expect(await databaseIds()).toEqual([])
    expect(await bucketNames()).toHaveLength(3)
  })

  it('takes AUDIT_DAYS and AUDIT_ARCHIVE_DAYS instead of 90 and 400', async ({ service, clock }) => {
    const other = startService({ beside: service, env: { ...service.env, AUDIT_DAYS: '30', AUDIT_ARCHIVE_DAYS: '31' } })
    await insertEventsAt([start - 29 * day])
    await other.runCron(archiveCron)
    expect(await bucketNames()).toEqual([])
    clock.advance(day + hour)
    await other.runCron(archiveCron)
    expect(await archivedIds()).toHaveLength(1)
    clock.advance(2 * day)
    await other.runCron(archiveCron)
    expect(await archivedIds()).toEqual([])
  })

  it('deletes expired objects, and the newest seal says which ones', async ({ service, clock }) => {
    const ids = await insertEventsAt([start - 399 * day, start - 398 * day, start - 90 * day - 1])
    await service.runCron(archiveCron)
    expect(await archivedIds()).toEqual(ids)
    const { entries } = captureLog()
    clock.advance(2 * day)
    await service.runCron(archiveCron)
    expect(entries('archive')).toMatchObject([{ expired: 1, objects: 1, events: 0 }])
    expect(await archivedIds()).toEqual(ids.slice(1))
    expect(await select('select number, first from audit_seals order by number')).toEqual([
      { number: 2, first: 1 },
      { number: 3, first: 1 },
      { number: 4, first: 2 },
    ])
    expect(await bucketNames()).toHaveLength(3)
    clock.advance(500 * day)
    await service.runCron(archiveCron)
    expect(await archivedIds()).toEqual([])
    expect(await bucketNames()).toHaveLength(1)
  })

  it('seals with a new key within the hour, also when nothing is due', async ({ service }) => {
    await insertEventsAt([start - 91 * day])
    await service.runCron(archiveCron)
    const rotated = startService({ beside: service, env: { ...service.env, SIGNING_KEYS: signingKeysOtherFirst } })
    for (let run = 0; run < 2; run++) await rotated.runCron(archiveCron)
    const seals = await select<{ kid: string }>('select kid from audit_seals order by number')
    expect(new Set(seals.map(({ kid }) => kid)).size).toBe(2)
    expect(seals).toHaveLength(2)
    // The last hour that could have had events.
    expect((await bucketNames()).at(-1)).toBe('audit/2026/08/24/11-00000002.ndjson.gz')
  })

  it('is the only one that deletes events: the cleanup leaves them', async ({ service }) => {
    const ids = await insertEventsAt([start - 500 * day])
    await service.runCron(cleanup)
    expect(await databaseIds()).toEqual(ids)
    const without = startService({ beside: service, env: { ...service.env, AUDIT_ARCHIVE: undefined } as object })
    const { entries } = captureLog()
    await without.runCron(archiveCron)
    expect(entries('archive')).toEqual([])
    await without.runCron(cleanup)
    expect(await databaseIds()).toEqual([])
  })

  it('stops at an object that is not the next one, and deletes nothing', async ({ service }) => {
    const ids = await insertEventsAt([start - 91 * day, start - 90 * day - 1])
    await service.runCron(archiveCron)
    const more = await insertEventsAt([start - 90 * day - 1])
    await bucket.put('audit/2026/12/01/00-00000003.ndjson.gz', 'not an object')
    await expect(service.runCron(archiveCron)).rejects.toThrow('cannot be read')
    const [, second] = await bucketNames()
    const copy = await (await bucket.get(second!))!.arrayBuffer()
    await bucket.put('audit/2026/12/01/00-00000003.ndjson.gz', copy)
    await expect(service.runCron(archiveCron)).rejects.toThrow('is not the next object')
    expect(await archivedIds()).toEqual(ids)
    expect(await databaseIds()).toEqual(more)
  })

  it.for([
    { what: 'another number', claims: { number: 3 } },
    { what: 'another object before it', claims: { previous: 'x' } },
    { what: 'no object before it', claims: { previous: null } },
    { what: 'another hour', claims: { hour: 7 } },
    { what: 'other lines', claims: { sha256: 'x' } },
  ])('takes up no object whose seal names $what', async ({ claims }, { service }) => {
    const { secrets } = await readSettings(service.env)
    const [first, second] = await insertEventsAt([start - 92 * day, start - 91 * day])
    await service.runCron(archiveCron)
    const [, name] = await bucketNames()
    const { seal, lines } = splitObject(await readText(name!))
    const forged = await signSeal(secrets.signingKeys, { ...decodeJwt<SealClaims>(seal), ...claims })
    await env.DB.prepare('delete from audit_seals where number = 2').run()
    await insertAuditEvents([{ type: 'user.signed_in', id: second! }])

    await writeText(name!, `${JSON.stringify({ seal: forged })}\n${lines}`)
    await expect(service.runCron(archiveCron)).rejects.toThrow('is not the next object')
    expect([await archivedIds(), await databaseIds()]).toEqual([[first], [second]])

    await writeText(name!, `${JSON.stringify({ seal })}\n${lines}`)
    await service.runCron(archiveCron)
    expect([await archivedIds(), await databaseIds()]).toEqual([[first, second], []])
  })

  it('takes up an object again that D1 forgot: a restore brings both back', async ({ service }) => {
    const ids = await insertEventsAt([start - 92 * day, start - 91 * day, start - 91 * day + 1])
    await service.runCron(archiveCron)
    const names = await bucketNames()
    const restored = ids.slice(1).map((id) => ({ type: 'user.signed_in' as const, id }))
    for (const rows of [[], restored]) {
      await env.DB.prepare('delete from audit_seals where number > 1').run()
      await insertAuditEvents(rows)
      // Younger than the object that is forgotten, in the same hour.
      const more = await insertEventsAt([start - 91 * day + 2 + rows.length])
      const log = captureLog()
      await service.runCron(archiveCron)
      ids.push(...more)
      expect(await archivedIds()).toEqual(ids)
      expect(await databaseIds()).toEqual([])
      expect((await bucketNames()).slice(0, 2)).toEqual(names)
      expect(log.entries('archive')).toMatchObject([{ level: 'info', skipped: 0 }])
    }
  })

  it('passes over objects of other names and numbers, and warns of them', async ({ service }) => {
    const foreign = [
      'audit/2026/.keep',
      'audit/2026/08/24/00-00000009.ndjson.gz',
      'audit/2026/08/24/00-00000001.ndjson',
      'audit/2026/08/24/backup-00000001.ndjson.gz',
      'audit/audit/2026/08/24/00-00000001.ndjson.gz',
      'audit/2026/08/24/09-00000001.ndjson.gz~',
      'audit/zzz',
    ]
    for (const name of foreign) await bucket.put(name, 'not an object')
    const ids = await insertEventsAt([start - 90 * day - 2 * hour, start - 90 * day - 1])
    const { entries } = captureLog()
    for (let run = 0; run < 2; run++) await service.runCron(archiveCron)
    expect(await archivedIds()).toEqual(ids)
    expect(await databaseIds()).toEqual([])
    expect(entries('archive')).toMatchObject([
      { level: 'warn', events: 2, skipped: 7, first_skipped: 'audit/2026/.keep' },
      { level: 'warn', events: 0, skipped: 3, first_skipped: 'audit/2026/08/24/backup-00000001.ndjson.gz' },
    ])
    await bucket.delete(foreign)
    await service.runCron(archiveCron)
    expect(entries('archive')[2]).toMatchObject({ level: 'info', skipped: 0 })
  })

  it('finds its next object behind more objects than R2 lists at once', { timeout: 120_000 }, async ({ service }) => {
    const ids = await insertEventsAt([start - 91 * day])
    await service.runCron(archiveCron)
    await env.DB.prepare('delete from audit_seals').run()
    const names = Array.from({ length: 1001 }, (_, n) => `audit/0/${n}`)
    await Promise.all(names.map((name) => bucket.put(name, '')))
    await service.runCron(archiveCron)
    expect(await archivedIds()).toEqual(ids)
    await bucket.delete(names.slice(1000))
    await bucket.delete(names.slice(0, 1000))
  })
})
