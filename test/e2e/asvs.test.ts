/** Checks docs/asvs.md against the numbers of the standard and against the tests that it names. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const root = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/asvs.md', root), 'utf8')

/** Every requirement of ASVS 5.0.0 on level 1 or 2: the section, then its numbers on each level. */
const sections: [section: string, level1: number[], level2: number[]][] = [
  ['6.1', [1], [2, 3]],
  ['6.2', [1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12]],
  ['6.3', [1, 2], [3, 4]],
  ['6.4', [1, 2], [3, 4]],
  ['6.5', [], [1, 2, 3, 4, 5]],
  ['6.6', [], [1, 2, 3]],
  ['6.8', [], [1, 2, 3, 4]],
  ['7.1', [], [1, 2, 3]],
  ['7.2', [1, 2, 3, 4], []],
  ['7.3', [], [1, 2]],
  ['7.4', [1, 2], [3, 4, 5]],
  ['7.5', [], [1, 2]],
  ['7.6', [], [1, 2]],
  ['8.1', [1], [2]],
  ['8.2', [1, 2], [3]],
  ['8.3', [1], []],
  ['8.4', [], [1]],
  ['9.1', [1, 2, 3], []],
  ['9.2', [1], [2, 3, 4]],
  ['10.1', [], [1, 2]],
  ['10.2', [], [1, 2]],
  ['10.3', [], [1, 2, 3, 4]],
  ['10.4', [1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]],
  ['10.5', [], [1, 2, 3, 4, 5]],
  ['10.6', [], [1, 2]],
  ['10.7', [], [1, 2, 3]],
  ['11.1', [], [1, 2]],
  ['11.2', [], [1, 2, 3]],
  ['11.3', [1, 2], [3]],
  ['11.4', [1], [2, 3, 4]],
  ['11.5', [], [1]],
  ['11.6', [], [1]],
  ['16.1', [], [1]],
  ['16.2', [], [1, 2, 3, 4, 5]],
  ['16.3', [], [1, 2, 3, 4]],
  ['16.4', [], [1, 2, 3]],
  ['16.5', [], [1, 2, 3]],
]
const required = sections.flatMap(([section, level1, level2]) =>
  (
    [
      [level1, '1'],
      [level2, '2'],
    ] as const
  ).flatMap(([numbers, level]) => numbers.map((number) => [`${section}.${number}`, level] as const)),
)

interface Row {
  number: string
  level: string
  verdict: string
  grounds: string
}

const rows = Array.from(page.matchAll(/^\| (\d+\.\d+\.\d+) \| (.*) \|$/gm), ([, number = '', rest = '']): Row => {
  const [level = '', , verdict = '', grounds = '', ...more] = rest.split(' | ')
  assert.deepEqual(more, [], `${number} has five cells`)
  return { number, level, verdict, grounds }
})

/** `[name](../test/…) "title", "title"`: a test file and the titles that are cited from it. */
function citations({ grounds }: Row): { file: string; titles: string[] }[] {
  const files = grounds.matchAll(/\]\(\.\.\/(test\/[^)]+)\)((?:,? "[^"]+")*)/g)
  return Array.from(files, ([, file = '', quoted = '']) => ({
    file,
    titles: Array.from(quoted.matchAll(/"([^"]+)"/g), ([, title = '']) => title),
  }))
}

/** Whether the file has a `describe` or a test with this title that is not skipped. */
function isTitle(source: string, title: string): boolean {
  const literal = title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`(?<!skip|todo)\\(\\s*(['"\`])${literal}\\1,`).test(source)
}

test('every requirement of level 1 and 2 has one row', () => {
  assert.equal(required.length, 126)
  assert.deepEqual(
    rows.map(({ number, level }) => `${number} L${level}`),
    required
      .map(([number, level]) => `${number} L${level}`)
      .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })),
  )
})

test('every row has a verdict, with tests if met and a reason if not', () => {
  for (const row of rows) {
    assert.match(row.verdict, /^(met|partly|open|n\.a\.)$/, row.number)
    if (row.verdict === 'met') assert.notDeepEqual(citations(row), [], row.number)
    else assert.match(row.grounds, /^[A-Z]/, row.number)
  }
})

test('every cited test exists under its title', () => {
  const missing: string[] = []
  for (const row of rows) {
    for (const { file, titles } of citations(row)) {
      const at = new URL(file, root)
      const source = existsSync(at) ? readFileSync(at, 'utf8') : ''
      if (titles.length === 0 || source === '') missing.push(`${row.number}: ${file}`)
      for (const title of titles) if (!isTitle(source, title)) missing.push(`${row.number}: ${file}: ${title}`)
    }
    // A quotation without a file would not be checked.
    const cited = citations(row).flatMap(({ titles }) => titles).length
    assert.equal(cited * 2, row.grounds.split('"').length - 1, `${row.number} quotes titles of tests only`)
  }
  assert.deepEqual(missing, [])
})

test('the summary lists exactly the requirements that are not met', () => {
  const told = /\*\*What is open, in short\.\*\*[^#]*/.exec(page)![0].match(/\d+\.\d+\.\d+/g)
  const unmet = rows.filter(({ verdict }) => verdict === 'open' || verdict === 'partly').map(({ number }) => number)
  assert.deepEqual(told, unmet)
})
