/** The names of the objects in the archive, and the hours in them. Hours are counted from 1970, in UTC. */
import { hourMs } from '../../durations.ts'

export const archivePrefix = 'audit/'

/** The hour that a moment is in. */
export function hourAt(ms: number): number {
  return Math.floor(ms / hourMs)
}

export function startOfHour(hour: number): Date {
  return new Date(hour * hourMs)
}

/** Names sort like numbers: the hours never get smaller. */
export function objectName({ hour, number }: { hour: number; number: number }): string {
  const [year, month, day, hours] = startOfHour(hour).toISOString().split(/\D/)
  return `${archivePrefix}${year}/${month}/${day}/${hours}-${String(number).padStart(8, '0')}.ndjson.gz`
}

/** @returns `undefined` for a name that is not of an object of the archive */
export function numberIn(name: string): number | undefined {
  const [, number] = /^audit\/\d{4}\/\d\d\/\d\d\/\d\d-(\d{8,})\.ndjson\.gz$/.exec(name) ?? []
  return number === undefined ? undefined : Number(number)
}

/** Where the copy of a replaced object is: outside of the archive, whose prefix it does not have. */
export function copyName(name: string): string {
  return `replaced-${name}`
}
