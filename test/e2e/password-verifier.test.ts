/** The reference verifier for stored passwords, in Python, against the vectors of its page. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { read, root } from './support/documents.ts'

const rows = read('docs/decisions/0001-chained-pbkdf2.md').matchAll(/^\| `([^`]+)` +\| `([^`]+)` +\|$/gm)
const pairs = Array.from(rows, ([, first = '', second = '']) => [first, second] as const)
const isStored = (text: string) => /^01[0-9a-f]{100,}$/.test(text)
const peppers = new Map(pairs.filter(([, text]) => !isStored(text)))
const vectors = pairs.filter(([, text]) => isStored(text))
const hasPython = spawnSync('python3', ['--version']).status === 0

function verify(password: string, stored: string): string {
  const bytes = Buffer.from(stored, 'hex')
  const kid = bytes.toString('ascii', 6, 6 + (bytes[5] ?? 0))
  const script = join(root, 'docs/decisions/verify_password.py')
  const { stdout, stderr } = spawnSync('python3', [script, stored, peppers.get(kid) ?? ''], {
    input: password,
    encoding: 'utf8',
  })
  return `${stdout}${stderr}`.trim()
}

test('an implementation in another language agrees with every published vector', { skip: !hasPython }, () => {
  assert.ok(vectors.length >= 4)
  for (const [password, stored] of vectors) {
    assert.equal(verify(password, stored), 'match', stored)
    assert.equal(verify(password.normalize('NFD'), stored), 'match', stored)
    assert.equal(verify(`${password} `, stored), 'no match', stored)
  }
})
