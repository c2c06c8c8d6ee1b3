/**
 * The parts of a time, in UTC, for a language to put in order; months count from zero. Without Intl, whose wording changes
 * with the ICU data: a repeated email has to be the same, byte for byte, or the provider refuses its idempotency key.
 *
 * @throws {RangeError} for an invalid time
 */
export function inUtc(instant: Date): { day: number; month: number; year: string; time: string } {
  const iso = instant.toISOString()
  return { day: instant.getUTCDate(), month: instant.getUTCMonth(), year: iso.slice(0, 4), time: iso.slice(11, 16) }
}
