import { Stop, readArguments } from '../command.ts'

const options = { users: { type: 'string', default: '100000' } } as const
const usage = 'Usage: npm run bench:scale -- [--users 100000]'
const [least, most] = [10, 10_000_000]

/**
 * The numbers of users to measure with: a thousand, a hundred thousand and a million, as far as they are smaller than
 * the largest, and the largest.
 *
 * @throws {Stop} for anything but a whole number within limits.
 */
export function readSizes(args: readonly string[]): number[] {
  const { users } = readArguments({ args, options }, usage).values
  const largest = /^\d+$/.test(users) ? Number(users) : NaN
  if (!(largest >= least && largest <= most)) {
    throw new Stop(`--users must be a whole number from ${least} to ${most}, not "${users}".\n\n${usage}`)
  }
  return [...[1_000, 100_000, 1_000_000].filter((size) => size < largest), largest]
}
