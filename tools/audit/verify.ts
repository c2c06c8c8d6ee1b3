/** Checks an archive of the audit trail: that nothing in it was changed and that nothing was left out. */
import { createHash } from 'node:crypto'
import { type JWK, decodeProtectedHeader, importJWK, jwtVerify } from 'jose'
import { type SealClaims, sealType } from '../../src/crypto/audit-seal.ts'
import { objectName, startOfHour } from '../../src/services/audit/archive-name.ts'

/** An object as `GET /audit-archive` answers it. */
export interface ArchivedObject {
  number: number
  name: string
  digest: string
  seal: string | null
  lines: string | null
}

/** The newest object of an earlier run, which has to be in the archive still. */
export interface Seen {
  number: number
  digest: string
}

export interface Verdict {
  /** What was changed or left out. Empty when the archive is whole. */
  problems: string[]
  /** What could not be checked, without being wrong. */
  notes: string[]
  objects: number
  events: number
  /** The hour of the oldest object. */
  since: string | null
  newest: Seen | null
}

/** An object whose seal can be read. */
interface Sealed extends Seen {
  name: string
  seal: string
  kid: string
  claims: SealClaims
}

interface Problem {
  number: number
  text: string
}

/**
 * Walks the objects from the oldest to the newest, then the signatures from the newest to the oldest: a key that is no
 * longer published is trusted when a later seal names it.
 *
 * @param keys the JWKS of the service
 */
export async function verifyArchive(
  objects: AsyncIterable<ArchivedObject> | Iterable<ArchivedObject>,
  keys: readonly JWK[],
  seen?: Seen,
): Promise<Verdict> {
  const problems: Problem[] = []
  const sealed: Sealed[] = []
  const counts: { number: number; events: number }[] = []
  let before: ArchivedObject | undefined
  for await (const object of objects) {
    const opened = open(object)
    for (const text of typeof opened === 'string' ? [opened] : mistakesIn(opened, object, before)) {
      problems.push({ number: object.number, text: `${object.name} ${text}` })
    }
    if (before && object.number !== before.number + 1) {
      problems.push({
        number: object.number,
        text: `objects ${before.number + 1} to ${object.number - 1} are left out`,
      })
    }
    if (typeof opened !== 'string') sealed.push(opened)
    counts.push({ number: object.number, events: object.lines?.split('\n').filter(Boolean).length ?? 0 })
    before = object
  }
  const newest = sealed.at(-1)
  const first = newest?.claims.first ?? 1
  const signatures = await checkSignatures(sealed, keys)
  const present = counts.filter(({ number }) => number >= first)
  const oldest = present[0]?.number ?? first
  if (oldest > first) problems.push({ number: first, text: `objects ${first} to ${oldest - 1} are left out` })
  const found = [...problems, ...signatures.problems].filter(({ number }) => number >= first)
  const oldestHour = sealed.find(({ number }) => number >= first)?.claims.hour
  return {
    problems: [...found.map(({ text }) => text), ...(seen ? checkSeen(seen, sealed, first) : [])],
    notes: [
      ...signatures.notes.filter(({ number }) => number >= first).map(({ text }) => text),
      ...(seen && seen.number < first ? [`object ${seen.number} has expired, so --seen says nothing`] : []),
    ],
    objects: present.length,
    since: oldestHour === undefined ? null : startOfHour(oldestHour).toISOString(),
    events: present.reduce((sum, { events }) => sum + events, 0),
    newest: newest ? { number: newest.number, digest: newest.digest } : null,
  }
}

function open({ number, name, digest, seal, lines }: ArchivedObject): Sealed | string {
  if (seal === null || lines === null) return 'is missing or cannot be read'
  try {
    const { kid = '' } = decodeProtectedHeader(seal)
    const claims = JSON.parse(Buffer.from(seal.split('.')[1] ?? '', 'base64url').toString()) as SealClaims
    return { number, name, digest, seal, kid, claims }
  } catch {
    return 'has no seal'
  }
}

function mistakesIn(
  { claims, seal }: Sealed,
  { number, name, digest, lines }: ArchivedObject,
  before: ArchivedObject | undefined,
): string[] {
  const mistakes: [boolean, string][] = [
    [claims.number !== number || objectName(claims) !== name, 'holds another object'],
    [sha256(seal) !== digest, 'has another seal than the database says'],
    [sha256(lines ?? '') !== claims.sha256, 'holds other events than were sealed'],
    [before !== undefined && claims.previous !== before.digest, 'does not follow the object before it'],
    [number === 1 && claims.previous !== null, 'does not begin the archive'],
  ]
  return mistakes.flatMap(([isMistake, text]) => (isMistake ? [text] : []))
}

async function checkSignatures(sealed: readonly Sealed[], keys: readonly JWK[]) {
  const problems: Problem[] = []
  const notes: Problem[] = []
  const known = new Map(keys.map((key) => [key.kid, key]))
  for (const { number, name, seal, kid, claims } of sealed.toReversed()) {
    const key = known.get(kid)
    if (!key) {
      const text = `${name} was sealed by the key ${kid}, which no later seal names: only the digests hold it`
      if (number === sealed.at(-1)?.number) problems.push({ number, text })
      else notes.push({ number, text })
    } else if (!(await isSignedBy(key, seal))) {
      problems.push({ number, text: `${name} has a seal that the key ${kid} did not sign` })
    } else if (claims.previous_key) {
      known.set(claims.previous_key.kid, claims.previous_key)
    }
  }
  return { problems, notes }
}

async function isSignedBy(key: JWK, seal: string): Promise<boolean> {
  try {
    await jwtVerify(seal, await importJWK(key), { typ: sealType })
    return true
  } catch {
    return false
  }
}

function checkSeen({ number, digest }: Seen, sealed: readonly Sealed[], first: number): string[] {
  if (number < first) return []
  return sealed.some((each) => each.number === number && each.digest === digest)
    ? []
    : [`object ${number} with the digest ${digest} was in the archive before, and is not any more`]
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
