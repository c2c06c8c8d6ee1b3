/** `npm run bench:scale` with few users. The figures of docs/performance.md are for many. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { readSizes } from '../../tools/scale/arguments.ts'
import { CommandProcess } from './support/command-process.ts'
import { section } from './support/documents.ts'
import { freePort } from './support/free-port.ts'

test('a run measures with a thousand, a hundred thousand and a million users, up to the number asked for', () => {
  assert.deepEqual(readSizes([]), [1_000, 100_000])
  assert.deepEqual(readSizes(['--users', '20']), [20])
  assert.deepEqual(readSizes(['--users', '1000000']), [1_000, 100_000, 1_000_000])
  for (const users of ['x', '0', '-5', '1.5', '1e6', '']) {
    assert.throws(() => readSizes([`--users=${users}`]), { name: 'Stop' }, users)
  }
})

test(
  'every call and job is measured, as the documents show it, and nothing is left behind',
  { timeout: 300_000 },
  async () => {
    const before = leftBehind()
    const env = { PORT: String(await freePort()), MAILBOX_PORT: String(await freePort()) }
    const command = new CommandProcess('tools/scale.ts', env, ['--users', '20'])
    assert.equal(await command.exitCode(), 0, command.output)
    for (const heading of [
      'Rows of a call',
      'Dollars for a million calls',
      'Dollars for 100,000 users in a month',
      'Jobs',
    ]) {
      const [, printed = ''] = command.output.split(`### ${heading}\n`)
      const names = firstCells(printed.split('\n### ')[0] ?? '')
      assert.ok(names.length > 2, command.output)
      assert.deepEqual(firstCells(section('docs/performance.md', heading)), names, heading)
    }
    assert.doesNotMatch(command.output, /NaN|undefined|Infinity/)
    assert.deepEqual(leftBehind(), before)
  },
)

function firstCells(markdown: string): string[] {
  return Array.from(markdown.matchAll(/^\| ([^|]+?) +\|/gm), ([, name = '']) => name)
}

function leftBehind(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('postern-scale-'))
}
