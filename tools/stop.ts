/** A failure that the person at the terminal can act on: it is shown as one line, without a stack. */
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
