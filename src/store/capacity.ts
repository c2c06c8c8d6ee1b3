import { isFull, roomProbe, takenBack } from './room.ts'

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
