/** What a visitor's browser loads before somebody can sign in, and afterwards in the course of it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { prepareState } from './support/prepare.ts'

const budgetBytes = 60_000
const dist = new URL('../../dist/', import.meta.url)

before(async () => void (await prepareState()))

const read = (path: string) => readFileSync(new URL(path.replace(/^\//, ''), dist), 'utf8')

/** The files of a page, and those that its scripts load later on, but none of a language that nobody chose. */
function filesOf(page: string): Set<string> {
  const files = new Set<string>([page])
  for (const file of files) {
    const text = read(file)
    for (const [, found] of text.matchAll(/["'`](?:\.\/|\/?pages\/)([\w-]+\.(?:js|css))["'`]/g)) {
      // The list of common passwords belongs to the forms for a new password.
      if (!found?.startsWith('strength-')) files.add(`pages/${found}`)
    }
    for (const [, found = ''] of text.matchAll(/(?:src|href)="\/([\w./-]+\.(?:js|css|svg))"/g)) files.add(found)
  }
  return files
}

test(`the whole of /sign-in is at most ${budgetBytes} bytes gzipped`, () => {
  const files = [...filesOf('sign-in.html')]
  const names = files.join(' ')
  for (const part of ['sign-in-', 'start-', 'second-step-', 'passkey-offer-', 'parts-', 'de-']) {
    assert.ok(names.includes(part), `${part} is missing in ${names}`)
  }
  const bytes = files.reduce((sum, file) => sum + gzipSync(read(file), { level: 9 }).length, 0)
  console.log(`/sign-in, gzipped: ${bytes} bytes of ${budgetBytes} in ${files.length} files`)
  assert.ok(bytes <= budgetBytes, `${bytes} bytes: ${names}`)
})
