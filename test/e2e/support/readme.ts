import { readFileSync } from 'node:fs'

export interface Example {
  code: string
  /** Whether it needs a browser: marked with `browser` after the language. */
  isForBrowsers: boolean
}

/** The TypeScript examples of a Markdown file. */
export function examplesIn(path: string): Example[] {
  const blocks = readFileSync(path, 'utf8').matchAll(/^```ts( browser)?\n(.*?)^```$/gms)
  return Array.from(blocks, ([, mark, code = '']) => ({ code, isForBrowsers: mark !== undefined }))
}
