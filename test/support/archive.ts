/** The archive of the audit trail: a real local bucket, what is in it, and what D1 says about it. */
import { env } from 'cloudflare:workers'
import { beforeEach } from 'vitest'
import { uuidv7 } from '../../src/crypto/random.ts'
import { objectName } from '../../src/services/audit/archive-name.ts'
import { splitObject } from '../../src/services/audit/archive-object.ts'
import { type ArchivedObject, type Seen, type Verdict, verifyArchive } from '../../tools/audit/verify.ts'
import { Caller } from './caller.ts'
import { insertAuditEvents } from './rows.ts'
import type { Service } from './service.ts'
import { select } from './state.ts'

export const bucket: R2Bucket = env.ARCHIVE_BUCKET

/** The environment of a service with an archive. */
export const archiveEnv = { AUDIT_ARCHIVE: bucket } as Partial<Env>

export const archiveCron = '30 * * * *'

/** For every file that uses the bucket: files share it. */
export function emptyBucketBeforeEach(): void {
  beforeEach(emptyBucket)
}

export async function emptyBucket(): Promise<void> {
  const names = await bucketNames()
  if (names.length > 0) await bucket.delete(names)
}

export async function bucketNames(): Promise<string[]> {
  const { objects } = await bucket.list()
  return objects.map(({ key }) => key)
}

/** Inserts an event at each of these times and gives the ids, in order. */
export async function insertEventsAt(times: readonly number[], more: { userId?: string } = {}): Promise<string[]> {
  const rows = times.map((time) => ({ type: 'user.signed_in' as const, ...more, id: uuidv7(new Date(time)) }))
  await insertAuditEvents(rows)
  return rows.map(({ id }) => id)
}

export async function readText(name: string): Promise<string> {
  const { body } = (await bucket.get(name))!
  return new Response(body.pipeThrough(new DecompressionStream('gzip'))).text()
}

/** Replaces an object, as somebody with access to the bucket can. */
export async function writeText(name: string, text: string): Promise<void> {
  const compressed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
  await bucket.put(name, await new Response(compressed).arrayBuffer())
}

/** The ids of the events in the objects that D1 names, in the order of the archive. */
export async function archivedIds(): Promise<string[]> {
  const objects = await archivedObjects()
  return objects.flatMap(({ lines }) => lines?.match(/(?<=^\{"id":")[\w-]+/gm) ?? [])
}

export async function databaseIds(): Promise<string[]> {
  return (await select<{ id: string }>('select id from audit_events order by id')).map(({ id }) => id)
}

/** The archive as it is in D1 and R2. Through the API an administrator gets the same. */
export async function archivedObjects(): Promise<ArchivedObject[]> {
  const seals = await select<{ number: number; hour: number; digest: string }>(
    'select number, hour, digest from audit_seals order by number',
  )
  return Promise.all(
    seals.map(async ({ number, hour, digest }) => {
      const name = objectName({ number, hour })
      const content = await readText(name).then(splitObject, () => ({ seal: null, lines: null }))
      return { number, name, digest, ...content }
    }),
  )
}

/** What `npm run audit -- verify` says. */
export async function verdictOf(service: Service, seen?: Seen): Promise<Verdict> {
  const { keys } = await new Caller(service).getKeys()
  return verifyArchive(await archivedObjects(), keys, seen)
}
