/**
 * What no tool checks in Markdown. Prose is wrapped at 120 columns: the formatter could wrap it, but would pad tables to the
 * width of their longest cell. And a conflict of a merge that was committed is valid Markdown.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pages, read } from './support/documents.ts'

/** Tables, code and diagrams cannot be wrapped, nor can a line that is one long word, such as a link. */
const proseOf = (page: string) => read(page).replaceAll(/^ *```[^]*?^ *```$|^ *\|.*$|^ *(?:[-*>] )?\S+$/gm, '')

test('every document is wrapped at 120 columns', () => {
  const long = pages.flatMap((page) =>
    proseOf(page)
      .split('\n')
      .filter((line) => line.length > 120)
      .map((line) => `${page}: ${line}`),
  )
  assert.deepEqual(long, [])
})

test('no document has the markers of an unresolved merge', () => {
  const torn = pages.filter((page) => /^(?:<{7}|\|{7}|={7}|>{7})(?: |$)/m.test(read(page)))
  assert.deepEqual(torn, [])
})
