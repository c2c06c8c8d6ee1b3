import { type ParseArgsConfig, parseArgs } from 'node:util'

/** A failure that the person at the terminal can act on. It is shown as its message, without a stack. */
export class Stop extends Error {
  override name = 'Stop'
}

/** Runs a command's main function and turns what it throws into an exit code. */
export async function command(main: () => Promise<void>): Promise<void> {
  try {
    await main()
  } catch (error) {
    console.error(error instanceof Stop ? error.message : error)
    process.exitCode = 1
  }
}

/** @throws {Stop} with the usage when the arguments do not fit `config`. */
export function readArguments<Config extends ParseArgsConfig>(config: Config, usage: string) {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new Stop(`${messageOf(error)}\n\n${usage}`)
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
