/** Moves old events from D1 into R2, and lets old objects expire. */
import type { Ctx } from '../../context.ts'
import { type SealClaims, signSeal, verifySeal } from '../../crypto/audit-seal.ts'
import { sha256 } from '../../crypto/digest.ts'
import { uuidv7Floor } from '../../crypto/random.ts'
import { forgetSealsTo, listExpiredSeals, readDue, settleSeal } from '../../store/audit-seals.ts'
import type { AuditSeal } from '../../store/schema/audit-seals.ts'
import { hourMs, hourOf, objectName } from './archive-name.ts'
import { type StoredObject, createObject, findObject, lineOf, readObject } from './archive-object.ts'

/** Two to five megabytes of text, and one batch that deletes as many rows. */
const maxEventsPerObject = 5_000

/** R2 deletes this many in one call. */
const maxExpired = 1_000

/**
 * Makes the next object and deletes its events from D1. They are deleted only after the object was read back and its seal
 * verified. A run that ends anywhere leaves nothing that the next one does not continue: an object without a row in D1 is
 * the next one, whoever made it. Two runs make the same object, because a name is written only once.
 *
 * Only whole hours that ended `auditDays` ago are archived, so no event can still be on its way into them.
 *
 * An object without events is made when another key signs now, or when objects have expired: the newest seal vouches for
 * all others and says which ones must be there.
 *
 * What does not belong to the archive does not stop it. An object without a row in D1 whose key has left the ring is
 * skipped: D1 has its events still, so another object can hold them.
 *
 * @param skipped takes the names of the objects that do not belong to the archive
 * @returns how many events it took, `null` when there is nothing to do
 * @throws {Error} when the bucket has an object of the next number that is not the next one
 */
export async function archiveNext(ctx: Ctx, bucket: R2Bucket, skipped: Set<string>): Promise<number | null> {
  const endHour = hourBefore(ctx, ctx.config.auditDays)
  const { newest, firstKept, events } = await readDue(
    ctx.db,
    uuidv7Floor(new Date(endHour * hourMs)),
    maxEventsPerObject,
    hourBefore(ctx, ctx.config.auditArchiveDays),
  )
  const number = (newest?.number ?? 0) + 1
  const hour = Math.max(newest?.hour ?? 0, events[0] ? hourOf(events[0].id) : endHour - 1)
  const first = Math.max(newest?.first ?? 1, firstKept ?? number)
  const ofHour = events.filter(({ id }) => hourOf(id) <= hour)
  const isDue = ofHour.length > 0 || (newest && (newest.first < first || isOtherKey(ctx, newest)))
  const existing = await findObject(bucket, number, newest && objectName(newest), skipped)
  const found = existing === undefined ? undefined : await openObject(ctx, bucket, existing)
  if (!found?.sealed) {
    if (found) skipped.add(found.name)
    if (!isDue) return null
  }

  const lines = ofHour.map(lineOf).join('')
  const made = found?.sealed ? found : await makeObject(ctx, bucket, { number, hour, first, newest }, lines, found)
  const { kid, claims } = await requireNext(made, { number, newest })
  const ids = made.lines === lines ? ofHour.map(({ id }) => id) : idsIn(made.lines)
  await settleSeal(
    ctx.db,
    { number, hour: claims.hour, first: claims.first, kid, digest: await sha256(made.seal) },
    ids,
  )
  return ids.length
}

/**
 * Deletes objects that the newest seal declares as expired. Their rows in D1 are deleted last, because they name them.
 *
 * @returns how many
 */
export async function expireObjects(ctx: Ctx, bucket: R2Bucket): Promise<number> {
  const expired = await listExpiredSeals(ctx.db, maxExpired)
  const last = expired.at(-1)
  if (last) {
    await bucket.delete(expired.map(objectName))
    await forgetSealsTo(ctx.db, last.number)
  }
  return expired.length
}

/** In hours since 1970. */
function hourBefore(ctx: Ctx, days: number): number {
  return Math.floor(ctx.now().getTime() / hourMs) - days * 24
}

function isOtherKey({ secrets }: Ctx, { kid }: AuditSeal): boolean {
  return kid !== secrets.signingKeys[0].kid
}

function previousKey(ctx: Ctx, newest: AuditSeal | undefined): Pick<SealClaims, 'previous_key'> {
  const key = newest && isOtherKey(ctx, newest) && ctx.secrets.signingKeys.find(({ kid }) => kid === newest.kid)
  return key ? { previous_key: key.publicJwk } : {}
}

interface OpenedObject extends StoredObject {
  name: string
  /** Null when its key is not in the ring. */
  sealed: Awaited<ReturnType<typeof verifySeal>>
}

async function openObject(ctx: Ctx, bucket: R2Bucket, name: string): Promise<OpenedObject> {
  const object = await readObject(bucket, name)
  if (!object) throw new Error(`${name} cannot be read`)
  return { ...object, name, sealed: await verifySeal(ctx.secrets.signingKeys, object.seal) }
}

type Next = Pick<SealClaims, 'number' | 'hour' | 'first'> & { newest: AuditSeal | undefined }

/** @param inTheWay may be replaced if it has the same name */
async function makeObject(
  ctx: Ctx,
  bucket: R2Bucket,
  { newest, ...place }: Next,
  lines: string,
  inTheWay: OpenedObject | undefined,
): Promise<OpenedObject> {
  const name = objectName(place)
  const claims = { ...place, sha256: await sha256(lines), previous: newest?.digest ?? null }
  const seal = await signSeal(ctx.secrets.signingKeys, { ...claims, ...previousKey(ctx, newest) })
  await createObject(bucket, name, seal, lines, inTheWay?.name === name ? inTheWay : undefined)
  return openObject(ctx, bucket, name)
}

/** @throws {Error} for an object from another place in the archive, or one whose lines are not those that were sealed */
async function requireNext({ name, sealed, lines }: OpenedObject, { number, newest }: Pick<Next, 'number' | 'newest'>) {
  const previous = newest?.digest ?? null
  const claims = sealed?.claims
  const isNext = claims?.number === number && claims.previous === previous && objectName(claims) === name
  if (!sealed || !isNext || claims.sha256 !== (await sha256(lines))) throw new Error(`${name} is not the next object`)
  return sealed
}

function idsIn(lines: string): string[] {
  return lines.split('\n').flatMap((line) => (line ? [(JSON.parse(line) as { id: string }).id] : []))
}
