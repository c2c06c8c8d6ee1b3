import type { Ctx } from '../../context.ts'
import { type SealRange, listSeals } from '../../store/audit-seals.ts'
import type { Page } from '../../store/page.ts'
import type { AuditSeal } from '../../store/schema/audit-seals.ts'
import { objectName } from './archive-name.ts'
import { readObject } from './archive-object.ts'

/** A page stops after this many characters. */
const maxCharacters = 8_000_000

export interface ArchivedObject {
  number: number
  name: string
  /** SHA-256 of the seal, as D1 keeps it. */
  digest: string
  /** Null, as `lines` is, when the object is missing or cannot be read. */
  seal: string | null
  /** One event in each line. */
  lines: string | null
}

/**
 * Objects of a period, oldest first, as they are in R2. Nothing is verified here: whoever asks compares the seals, the
 * lines and the digests.
 *
 * @param userId only the lines about this user
 * @throws {AppError} `service_unavailable` when R2 does not answer: an object must not look as if it were missing
 */
export async function readArchive(
  ctx: Ctx,
  range: SealRange,
  userId: string | undefined,
  limit: number,
): Promise<Page<ArchivedObject>> {
  const seals = await listSeals(ctx.db, range, limit + 1)
  const items: ArchivedObject[] = []
  let characters = 0
  for (const seal of seals.slice(0, limit)) {
    if (characters > maxCharacters) break
    const object = await look(ctx.auditArchive, seal)
    characters += object.lines?.length ?? 0
    items.push(userId === undefined ? object : { ...object, lines: linesAbout(userId, object.lines) })
  }
  const last = items.at(-1)
  return { items, next: last && items.length < seals.length ? String(last.number) : null }
}

async function look(bucket: R2Bucket | null, seal: AuditSeal): Promise<ArchivedObject> {
  const { number, digest } = seal
  const name = objectName(seal)
  const object = bucket && (await readObject(bucket, name))
  return { number, name, digest, seal: object?.seal ?? null, lines: object?.lines ?? null }
}

/** Quotation marks inside of a text are escaped in JSON, so this finds the property and nothing else. */
function linesAbout(userId: string, lines: string | null): string | null {
  const isAbout = (line: string) => line.includes(`"user_id":"${userId}"`)
  return (
    lines
      ?.split(/(?<=\n)/)
      .filter(isAbout)
      .join('') ?? null
  )
}
