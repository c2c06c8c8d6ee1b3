/** What an administrator reads of the archive. */
import { describe, expect } from 'vitest'
import { uuidv7 } from '../../src/crypto/random.ts'
import { verifyArchive } from '../../tools/audit/verify.ts'
import {
  archiveCron,
  archiveEnv,
  archivedObjects,
  bucket,
  emptyBucketBeforeEach,
  insertEventsAt,
  writeText,
} from '../support/archive.ts'
import { Clock, day, hour } from '../support/clock.ts'
import { it as base } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { startService } from '../support/service.ts'

const it = base.extend('options', async () => ({ env: archiveEnv }))
emptyBucketBeforeEach()

const start = new Clock().now().getTime()
const old = start - 91 * day
const [ada, eve] = [uuidv7(new Date(0)), uuidv7(new Date(0))]

describe('GET /audit-archive', () => {
  it('gives the objects page by page, as they are in R2 and D1', async ({ service, admin }) => {
    await insertEventsAt([0, 1, 2, 3, 4].map((n) => old + n * hour))
    await service.runCron(archiveCron)
    const seen = []
    let query: { limit: number; cursor?: string } = { limit: 2 }
    for (;;) {
      const { objects, next_cursor: cursor } = await admin.auditArchive(query)
      expect(objects.length).toBeLessThanOrEqual(2)
      seen.push(...objects)
      if (cursor === null) break
      query = { limit: 2, cursor }
    }
    expect(seen).toEqual(await archivedObjects())
    const { keys } = await admin.getKeys()
    expect(await verifyArchive(seen, keys)).toMatchObject({ problems: [], events: 5 })
  })

  it('gives the hours of a period and the lines about a user', async ({ service, admin }) => {
    const [first, second] = await insertEventsAt([old, old + hour], { userId: ada })
    await insertEventsAt([old, old + 2 * hour], { userId: eve })
    await service.runCron(archiveCron)
    const idsOf = async (query: object) => {
      const { objects } = await admin.auditArchive(query)
      return objects.map(({ lines }) => lines!.match(/(?<=^\{"id":")[\w-]+/gm) ?? [])
    }
    const at = (ms: number) => new Date(old + ms).toISOString()
    expect(await idsOf({ user_id: ada })).toEqual([[first], [second], []])
    expect(await idsOf({ user_id: ada, from: at(hour + 1) })).toEqual([[second], []])
    expect(await idsOf({ user_id: ada, to: at(hour - 1) })).toEqual([[first]])
    expect(await idsOf({ from: at(hour), to: at(hour) })).toEqual([[second]])
    expect(await idsOf({ user_id: uuidv7(new Date()) })).toEqual([[], [], []])
  })

  it('says when the list of events begins', async ({ service, admin }) => {
    expect((await admin.auditEvents()).archived_before).toBeNull()
    await insertEventsAt([old, old + hour])
    await service.runCron(archiveCron)
    expect((await admin.auditEvents()).archived_before).toBe(new Date(old + 2 * hour).toISOString())
  })

  it('shows an object that is missing or broken without its content, also without a bucket', async ({
    service,
    admin,
  }) => {
    await insertEventsAt([old, old + hour, old + 2 * hour])
    await service.runCron(archiveCron)
    const [first, second, third] = (await archivedObjects()).map(({ name }) => name)
    await bucket.delete(first!)
    await bucket.put(second!, 'not gzip')
    await writeText(third!, `${JSON.stringify({ seal: 7 })}\n`)
    const objects = Array.from({ length: 3 }, () => ({ seal: null, lines: null }))
    const without = startService({ beside: service, env: { AUDIT_ARCHIVE: undefined } as object })
    for (const query of [{}, { user_id: ada }]) {
      expect(await admin.auditArchive(query)).toMatchObject({ objects, next_cursor: null })
      expect(await admin.at(without).auditArchive(query)).toMatchObject({ objects, next_cursor: null })
    }
  })

  it('ends a page with the object that makes it larger than 8 million characters', async ({ service, admin }) => {
    await insertEventsAt([0, 1, 2].map((n) => old + n * hour))
    await service.runCron(archiveCron)
    const [first] = await archivedObjects()
    const { name, seal } = first!
    const write = (lines: string) => writeText(name, `${JSON.stringify({ seal })}\n${lines}`)
    const pageSize = async () => (await admin.auditArchive()).objects.length
    await write('x'.repeat(8_000_000))
    expect(await pageSize()).toBe(2)
    await write('x'.repeat(8_000_001))
    expect(await pageSize()).toBe(1)
    const { next_cursor: cursor } = await admin.auditArchive()
    expect((await admin.auditArchive({ cursor: cursor! })).objects).toHaveLength(2)
  })

  it.for([
    { which: 'the call', get: () => Promise.reject(new Error('internal error')) },
    {
      which: 'the body',
      get: () => Promise.resolve({ etag: 'x', arrayBuffer: () => Promise.reject(new Error('connection lost')) }),
    },
  ])('is 503 when R2 fails at $which, so that no object looks missing', async ({ get }, { service, admin }) => {
    const log = captureLog()
    await insertEventsAt([old])
    await service.runCron(archiveCron)
    const failing = startService({ beside: service, env: { AUDIT_ARCHIVE: { get } } as object })
    await admin.at(failing).auditArchive().refused(503, 'service_unavailable')
    expect(log.entries('request.unavailable')).toMatchObject([{ reason: 'r2' }])
  })

  it('has seals that are no access tokens, although the same key signs them', async ({ service, admin }) => {
    await insertEventsAt([old])
    await service.runCron(archiveCron)
    const [object] = await archivedObjects()
    for (const operation of ['getMe', 'verify'] as const) {
      await admin.call(operation, { token: object!.seal! }).refused(401, 'invalid_token')
    }
  })

  it.for(['2026', '2026-11-30', 'yesterday', '2026-13-01T00:00:00Z', '2026-11-30T25:00:00Z', ''])(
    'refuses %s as an instant',
    async (from, { admin }) => {
      await admin.call('readAuditArchive', { query: { from } }).refused(422, 'validation_failed')
    },
  )
})
