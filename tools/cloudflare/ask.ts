import { Writable } from 'node:stream'
import { createInterface } from 'node:readline/promises'
import { Stop } from '../command.ts'

/** Asks the person at the terminal. */
export interface Asker {
  text: (question: string) => Promise<string>
  /** Does not echo the answer. */
  secret: (question: string) => Promise<string>
}

/** `null` in a pipe or a CI job, where nobody can answer. */
export function terminal(): Asker | null {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return null
  return { text: (question) => ask(question, process.stdout), secret: (question) => ask(question, silent()) }
}

/** @throws {Stop} unless the option or the person agrees. */
export async function confirm(asker: Asker | null, isConfirmed: boolean, option = '--yes'): Promise<void> {
  if (isConfirmed) return
  if (!asker) throw new Stop(`Nothing was done. Run it again with ${option} to go ahead.`)
  if (!/^y(es)?$/i.test(await asker.text('Go ahead? [y/N] '))) throw new Stop('Nothing was done.')
}

async function ask(question: string, echo: NodeJS.WritableStream): Promise<string> {
  process.stdout.write(question)
  const lines = createInterface({ input: process.stdin, output: echo, terminal: true })
  try {
    return (await lines.question('')).trim()
  } catch (error) {
    // Ctrl-C or Ctrl-D at the question.
    if (error instanceof Error && error.name === 'AbortError') throw new Stop('Nothing was done.')
    throw error
  } finally {
    lines.close()
    if (echo !== process.stdout) process.stdout.write('\n')
  }
}

function silent(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() })
}
