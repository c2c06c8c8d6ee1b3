import { fullnessOf, isFull, roomProbe, takenBack } from './room.ts'

/**
 * Finds out whether a database has room. D1 ends at 10 GB: reads and deletes go on, and every other write fails.
 *
 * @throws {Error} for any other failure
 */
export async function probeRoom(database: D1Database): Promise<'room' | 'full'> {
  try {
    await database.prepare(roomProbe).run()
  } catch (error) {
    if (isFull(error)) return 'full'
    if (!(error instanceof Error && takenBack.test(error.message))) throw error
  }
  return 'room'
}

/** The size in the newest answer of each database. Each isolate has its own, and no query is made for it. */
const sizes = new WeakMap<D1Database, { bytes: number; atMs: number }>()

/** An older size is ignored. The next act is let through, and its answer brings the present size. */
const believedMs = 60_000

/** Keeps the size that came with an answer, if one did. */
export function noteSize(database: D1Database, answer: unknown, now: Date): void {
  const last = (Array.isArray(answer) ? answer.at(-1) : answer) as Partial<D1Result> | undefined
  const bytes = last?.meta?.size_after
  if (bytes !== undefined) sizes.set(database, { bytes, atMs: now.getTime() })
}

/** The newest answer said that strangers should leave no more rows. */
export function isNearlyFull(database: D1Database, now: Date): boolean {
  const noted = sizes.get(database)
  return noted !== undefined && now.getTime() - noted.atMs < believedMs && fullnessOf(noted.bytes) === 'nearly_full'
}
