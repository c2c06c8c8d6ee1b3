/** The objects of the archive in R2, and the text in them. */
import type { AuditEvent } from '../../store/schema/audit.ts'
import { archivePrefix } from './archive-name.ts'

/** An event as the archive keeps it: as the API answers it, but independent of later changes there. */
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

/** @returns the name of the first object after another one, or of the first of all */
export async function nameAfter(bucket: R2Bucket, name: string | undefined): Promise<string | undefined> {
  const { objects } = await bucket.list({
    prefix: archivePrefix,
    limit: 1,
    ...(name !== undefined && { startAfter: name }),
  })
  return objects[0]?.key
}

/** Writes an object unless there is one of that name. Its first line is the seal of the others. */
export async function createObject(bucket: R2Bucket, name: string, seal: string, lines: string): Promise<void> {
  const text = `${JSON.stringify({ seal })}\n${lines}`
  const compressed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
  await bucket.put(name, await new Response(compressed).arrayBuffer(), { onlyIf: { etagDoesNotMatch: '*' } })
}

/** @throws {Error} when it is missing or was not written by `createObject` */
export async function readObject(bucket: R2Bucket, name: string): Promise<string> {
  const object = await bucket.get(name)
  if (!object) throw new Error(`${name} is missing`)
  return new Response(object.body.pipeThrough(new DecompressionStream('gzip'))).text()
}

/** @throws {Error} when the first line holds no seal */
export function splitObject(text: string): { seal: string; lines: string } {
  const start = text.indexOf('\n') + 1
  const { seal } = JSON.parse(text.slice(0, start)) as { seal: string }
  return { seal, lines: text.slice(start) }
}
