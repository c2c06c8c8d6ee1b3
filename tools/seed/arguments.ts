import { Stop, readArguments } from '../command.ts'

const options = { users: { type: 'string', default: '500' }, seed: { type: 'string', default: '1' } } as const

/** @throws {Stop} for anything but whole numbers within limits. */
export function readSeedArguments(args: readonly string[]): { users: number; seed: number } {
  const { values } = readArguments({ args, options }, 'Usage: npm run seed -- [--users 500] [--seed 1]')
  return { users: whole('--users', values.users, 10, 1_000_000), seed: whole('--seed', values.seed, 0, 2 ** 32 - 1) }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (value >= least && value <= most) return value
  throw new Stop(`${name} must be a whole number from ${least} to ${most}, not "${text}".`)
}
