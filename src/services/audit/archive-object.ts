/** The objects of the archive in R2, and the text in them. */
import { unavailable } from '../../errors.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import { archivePrefix, copyName, numberIn } from './archive-name.ts'

/** An event as the archive keeps it: the format of the API today. Later changes of the API must not change it. */
export function lineOf(event: AuditEvent): string {
  return `${JSON.stringify({
    id: event.id,
    at: event.at.toISOString(),
    type: event.type,
    actor_id: event.actorId,
    user_id: event.userId,
    ip: event.ip,
    country: event.country,
    user_agent: event.userAgent,
    request_id: event.requestId,
    detail: event.detail,
  })}\n`
}

/**
 * Looks for the object of a number among those after another one, or among all. Other objects there were put by
 * somebody else, or were archived before the database was restored to an earlier time.
 *
 * @param skipped takes the names of the objects that it passed over
 */
export async function findObject(
  bucket: R2Bucket,
  number: number,
  startAfter: string | undefined,
  skipped: Set<string>,
): Promise<string | undefined> {
  for (let after = startAfter; ;) {
    const { objects, truncated } = await bucket.list({
      prefix: archivePrefix,
      ...(after !== undefined && { startAfter: after }),
    })
    for (const { key } of objects) {
      if (numberIn(key) === number) return key
      skipped.add(key)
    }
    after = objects.at(-1)?.key
    if (!truncated) return undefined
  }
}

/**
 * Writes an object unless there is one of that name. Its first line is the seal of the others.
 *
 * @param replaced the object of that name that may be replaced. A copy of it is kept outside of the archive
 */
export async function createObject(
  bucket: R2Bucket,
  name: string,
  seal: string,
  lines: string,
  replaced?: StoredObject,
): Promise<void> {
  const text = `${JSON.stringify({ seal })}\n${lines}`
  const compressed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
  if (replaced) await bucket.put(copyName(name), replaced.bytes)
  const onlyIf = replaced ? { etagMatches: replaced.etag } : { etagDoesNotMatch: '*' }
  await bucket.put(name, await new Response(compressed).arrayBuffer(), { onlyIf })
}

export interface StoredObject {
  etag: string
  /** As they are in R2. */
  bytes: ArrayBuffer
  seal: string
  lines: string
}

/**
 * @returns `null` when it is missing or was not written by `createObject`
 * @throws {AppError} `service_unavailable` when R2 does not answer, which says nothing about the object
 */
export async function readObject(bucket: R2Bucket, name: string): Promise<StoredObject | null> {
  const found = await fetchObject(bucket, name)
  if (!found) return null
  try {
    const text = new Blob([found.bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
    return { ...found, ...splitObject(await new Response(text).text()) }
  } catch {
    return null
  }
}

async function fetchObject(bucket: R2Bucket, name: string): Promise<{ etag: string; bytes: ArrayBuffer } | null> {
  try {
    const object = await bucket.get(name)
    return object && { etag: object.etag, bytes: await object.arrayBuffer() }
  } catch (error) {
    throw unavailable('r2', error)
  }
}

/** @throws {Error} when the first line holds no seal */
export function splitObject(text: string): { seal: string; lines: string } {
  const start = text.indexOf('\n') + 1
  const { seal } = JSON.parse(text.slice(0, start)) as { seal: unknown }
  if (typeof seal !== 'string') throw new TypeError('no seal')
  return { seal, lines: text.slice(start) }
}
