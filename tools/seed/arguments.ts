import { parseArgs } from 'node:util'
import { Stop } from '../stop.ts'

/** @throws {Stop} for what is no whole number, or not one that can be meant. */
export function readSeedArguments(args: readonly string[]): { users: number; seed: number } {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { users: { type: 'string', default: '500' }, seed: { type: 'string', default: '1' } },
    })
    return { users: whole('--users', values.users, 10, 1_000_000), seed: whole('--seed', values.seed, 0, 2 ** 32 - 1) }
  } catch (error) {
    if (error instanceof Stop || !(error instanceof TypeError)) throw error
    throw new Stop(`${error.message}\nUsage: npm run seed -- [--users 500] [--seed 1]`)
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (value >= least && value <= most) return value
  throw new Stop(`${name} must be a whole number from ${least} to ${most}, not "${text}".`)
}
