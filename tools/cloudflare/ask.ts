import { Writable } from 'node:stream'
import { createInterface } from 'node:readline/promises'
import { Stop } from '../stop.ts'

/** Questions to a person; `null` where there is nobody to ask. */
export interface Asker {
  text: (question: string) => Promise<string>
  /** What is typed is not shown. */
  secret: (question: string) => Promise<string>
}

/** The terminal, or `null` when this is a pipe or a CI job. */
export function terminal(): Asker | null {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return null
  return { text: (question) => ask(question, process.stdout), secret: (question) => ask(question, silent()) }
}

/** @throws {Stop} when nobody agreed to what was said just before */
export async function confirm(asker: Asker | null, isConfirmed: boolean): Promise<void> {
  if (isConfirmed) return
  if (!asker) throw new Stop('Nothing was done. Run it again with --yes to go ahead.')
  if (!/^y(es)?$/i.test(await asker.text('Go ahead? [y/N] '))) throw new Stop('Nothing was done.')
}

async function ask(question: string, echo: NodeJS.WritableStream): Promise<string> {
  process.stdout.write(question)
  const lines = createInterface({ input: process.stdin, output: echo, terminal: true })
  try {
    return (await lines.question('')).trim()
  } finally {
    lines.close()
    if (echo !== process.stdout) process.stdout.write('\n')
  }
}

function silent(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() })
}
