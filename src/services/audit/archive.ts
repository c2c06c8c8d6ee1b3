/** Moves old events from D1 into R2, and deletes objects that have expired. */
import type { Ctx } from '../../context.ts'
import { type SealClaims, signSeal, verifySeal } from '../../crypto/audit-seal.ts'
import { sha256 } from '../../crypto/digest.ts'
import { timeOf, uuidv7Floor } from '../../crypto/random.ts'
import { dayMs } from '../../durations.ts'
import { forgetSealsTo, listExpiredSeals, readDue, settleSeal } from '../../store/audit-seals.ts'
import type { AuditEvent } from '../../store/schema/audit.ts'
import type { AuditSeal } from '../../store/schema/audit-seals.ts'
import { hourAt, objectName, startOfHour } from './archive-name.ts'
import { type StoredObject, createObject, findObject, lineOf, readObject } from './archive-object.ts'

/** Two to five megabytes of text, and one batch that deletes as many rows. */
const maxEventsPerObject = 5_000

/** R2 deletes this many in one call. */
const maxExpired = 1_000

/**
 * Makes the next object and deletes its events from D1, but only after the object was read back and its seal verified.
 * It takes whole hours that ended `auditDays` ago, so no event can still be on its way into them.
 *
 * A run may end anywhere. If it wrote the object and D1 has no row for it, the next run verifies that object and
 * continues with it. Two runs at once agree on one object, because R2 writes a name only once.
 *
 * An object without a row in D1 whose key has left the ring cannot be verified. It is skipped: D1 still has its events,
 * so they go into another object.
 *
 * @param skipped takes the names of the objects that do not belong to the archive
 * @returns the number of archived events; `null` when there is nothing to do
 * @throws {Error} when the bucket has an object of the next number that does not continue the archive
 * @throws {AppError} `service_unavailable` when an object cannot be fetched from R2
 */
export async function archiveNext(ctx: Ctx, bucket: R2Bucket, skipped: Set<string>): Promise<number | null> {
  const next = await planNext(ctx, bucket)
  const existing = await openExisting(ctx, bucket, next, skipped)
  if (!existing?.sealed && !next.isDue) return null

  const lines = next.events.map(lineOf).join('')
  const object = existing?.sealed ? existing : await makeObject(ctx, bucket, next, lines, existing)
  const { kid, claims } = await requireNext(object, next)
  const ids = object.lines === lines ? next.events.map(({ id }) => id) : idsIn(object.lines)
  const { number } = next
  const digest = await sha256(object.seal)
  await settleSeal(ctx.db, { number, hour: claims.hour, first: claims.first, kid, digest }, ids)
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

/** The next object, as D1 determines it at one moment. R2 is asked only about what has expired. */
interface Next extends Pick<SealClaims, 'number' | 'hour' | 'first'> {
  newest: AuditSeal | undefined
  /** All events of one hour, or its first ones. */
  events: AuditEvent[]
  isDue: boolean
}

/**
 * An object without events is due, too, when another key signs now or when objects have expired: the newest seal is
 * signed by the key of today, and says which objects must exist.
 */
async function planNext(ctx: Ctx, bucket: R2Bucket): Promise<Next> {
  const endHour = hourDaysAgo(ctx, ctx.config.auditDays)
  const { newest, lastExpired, events } = await readDue(
    ctx.db,
    uuidv7Floor(startOfHour(endHour)),
    maxEventsPerObject,
    hourDaysAgo(ctx, ctx.config.auditArchiveDays),
  )
  const number = (newest?.number ?? 0) + 1
  const hour = Math.max(newest?.hour ?? 0, events[0] ? hourOf(events[0]) : endHour - 1)
  const first = await firstKept(bucket, newest?.first ?? 1, lastExpired)
  const ofHour = events.filter((event) => hourOf(event) <= hour)
  const isSealDue = newest !== undefined && (newest.first < first || isOtherKey(ctx, newest))
  return { number, hour, first, newest, events: ofHour, isDue: ofHour.length > 0 || isSealDue }
}

/**
 * The lowest number that has not expired. The last one that has must be in R2 under the name of its hour: whoever can
 * write to the database alone must not make younger objects look expired.
 *
 * @param declared by the newest seal
 */
async function firstKept(bucket: R2Bucket, declared: number, lastExpired: AuditSeal | undefined): Promise<number> {
  if (!lastExpired || lastExpired.number < declared) return declared
  return (await bucket.head(objectName(lastExpired))) ? lastExpired.number + 1 : declared
}

function hourDaysAgo(ctx: Ctx, days: number): number {
  return hourAt(ctx.now().getTime() - days * dayMs)
}

function hourOf({ id }: AuditEvent): number {
  return hourAt(timeOf(id).getTime())
}

function isOtherKey({ secrets }: Ctx, { kid }: AuditSeal): boolean {
  return kid !== secrets.signingKeys[0].kid
}

interface OpenedObject extends StoredObject {
  name: string
  /** Null when its key is not in the ring. */
  sealed: Awaited<ReturnType<typeof verifySeal>>
}

/** The object with the next number, if the bucket has one already. */
async function openExisting(
  ctx: Ctx,
  bucket: R2Bucket,
  { number, newest }: Next,
  skipped: Set<string>,
): Promise<OpenedObject | undefined> {
  const name = await findObject(bucket, number, newest && objectName(newest), skipped)
  if (name === undefined) return undefined
  const object = await openObject(ctx, bucket, name)
  if (!object.sealed) skipped.add(name)
  return object
}

async function openObject(ctx: Ctx, bucket: R2Bucket, name: string): Promise<OpenedObject> {
  const object = await readObject(bucket, name)
  if (!object) throw new Error(`${name} cannot be read`)
  return { ...object, name, sealed: await verifySeal(ctx.secrets.signingKeys, object.seal) }
}

/** @param inTheWay may be replaced if it has the same name */
async function makeObject(
  ctx: Ctx,
  bucket: R2Bucket,
  { number, hour, first, newest }: Next,
  lines: string,
  inTheWay: OpenedObject | undefined,
): Promise<OpenedObject> {
  const name = objectName({ hour, number })
  const claims = { number, hour, first, sha256: await sha256(lines), previous: newest?.digest ?? null }
  const seal = await signSeal(ctx.secrets.signingKeys, { ...claims, ...previousKey(ctx, newest) })
  await createObject(bucket, name, seal, lines, inTheWay?.name === name ? inTheWay : undefined)
  return openObject(ctx, bucket, name)
}

function previousKey(ctx: Ctx, newest: AuditSeal | undefined): Pick<SealClaims, 'previous_key'> {
  const key = newest && isOtherKey(ctx, newest) && ctx.secrets.signingKeys.find(({ kid }) => kid === newest.kid)
  return key ? { previous_key: key.publicJwk } : {}
}

/**
 * @throws {Error} for an object from another place in the archive, or one whose lines are not those that were sealed
 */
async function requireNext({ name, sealed, lines }: OpenedObject, { number, newest }: Next) {
  const previous = newest?.digest ?? null
  const claims = sealed?.claims
  const isNext = claims?.number === number && claims.previous === previous && objectName(claims) === name
  if (!sealed || !isNext || claims.sha256 !== (await sha256(lines))) throw new Error(`${name} is not the next object`)
  return sealed
}

function idsIn(lines: string): string[] {
  return lines.split('\n').flatMap((line) => (line ? [(JSON.parse(line) as { id: string }).id] : []))
}
