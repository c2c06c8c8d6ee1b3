import { Stop, readArguments } from '../command.ts'

/** The calls that are compared, in the order of the report. */
const calls = ['verify', 'peer', 'again', 'me', 'refresh', 'login'] as const
export type CallName = (typeof calls)[number]

/** What can be measured. */
const parts = [...calls, 'beside', 'start'] as const
export type Part = (typeof parts)[number]

const options = {
  only: { type: 'string', default: parts.join(',') },
  seconds: { type: 'string', default: '2' },
  rounds: { type: 'string', default: '5' },
  against: { type: 'string' },
  json: { type: 'string' },
  profile: { type: 'string' },
} as const

const usage = `Usage: npm run bench -- [--only ${parts.join(',')}]
  [--seconds 2] [--rounds 5] [--against FOLDER] [--json FILE] [--profile verify]

--only     what to measure; "peer" is the session look-up of Better Auth, which is installed at its first run
--seconds  the length of one round of one Worker
--rounds   how many rounds count
--against  a bundle of another commit, to be measured beside this one: npx wrangler deploy --dry-run --outdir FOLDER
--json     writes the figures to a file as well
--profile  writes a CPU profile of one call to reports/, and measures nothing`

export function isCall(part: Part): part is CallName {
  return calls.some((call) => call === part)
}

export interface BenchOptions {
  only: readonly Part[]
  seconds: number
  rounds: number
  against: string | undefined
  json: string | undefined
  profile: CallName | undefined
}

/** @throws {Stop} with the usage when the arguments make no sense. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { only, seconds, rounds, against, json, profile } = readArguments({ args, options }, usage).values
  return {
    only: only.split(',').map((name) => oneOf(parts, '--only', name)),
    seconds: readNumber('--seconds', seconds, /^\d+(\.\d+)?$/),
    rounds: readNumber('--rounds', rounds, /^\d+$/),
    against,
    json,
    profile: profile === undefined ? undefined : oneOf(calls, '--profile', profile),
  }
}

function oneOf<Name extends string>(names: readonly Name[], option: string, text: string): Name {
  const name = names.find((each) => each === text)
  if (name === undefined) throw new Stop(`${option} has no "${text}".\n\n${usage}`)
  return name
}

function readNumber(option: string, text: string, pattern: RegExp): number {
  const value = pattern.test(text) ? Number(text) : 0
  if (value <= 0 || value > 60) throw new Stop(`${option} must be a number up to 60, not "${text}".\n\n${usage}`)
  return value
}
