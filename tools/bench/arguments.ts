import { Stop, readArguments } from '../command.ts'

/** What can be measured, in the order of the report. */
export const parts = ['verify', 'again', 'me', 'refresh', 'login'] as const
export type Part = (typeof parts)[number]

const options = {
  only: { type: 'string', default: parts.join(',') },
  seconds: { type: 'string', default: '2' },
  rounds: { type: 'string', default: '5' },
  against: { type: 'string' },
  json: { type: 'string' },
} as const

const usage = `Usage: npm run bench -- [--only ${parts.join(',')}]
  [--seconds 2] [--rounds 5] [--against FOLDER] [--json FILE]

--only     what to measure
--seconds  the length of one round of one Worker
--rounds   how many rounds count
--against  a bundle of another commit, to be measured beside this one: npx wrangler deploy --dry-run --outdir FOLDER
--json     writes the figures to a file as well`

export interface BenchOptions {
  only: readonly Part[]
  seconds: number
  rounds: number
  against: string | undefined
  json: string | undefined
}

/** @throws {Stop} with the usage when the arguments make no sense. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { only, seconds, rounds, against, json } = readArguments({ args, options }, usage).values
  return {
    only: only.split(',').map((name) => readPart(name)),
    seconds: readNumber('--seconds', seconds, /^\d+(\.\d+)?$/),
    rounds: readNumber('--rounds', rounds, /^\d+$/),
    against,
    json,
  }
}

function readPart(name: string): Part {
  const part = parts.find((each) => each === name)
  if (part === undefined) throw new Stop(`--only has no "${name}".\n\n${usage}`)
  return part
}

function readNumber(option: string, text: string, pattern: RegExp): number {
  const value = pattern.test(text) ? Number(text) : 0
  if (value <= 0 || value > 60) throw new Stop(`${option} must be a number up to 60, not "${text}".\n\n${usage}`)
  return value
}
