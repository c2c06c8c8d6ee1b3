/** Reads the documents of the repository. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../../', import.meta.url))
export const read = (path: string) => readFileSync(join(root, path), 'utf8')
export const pages = globSync(['*.md', 'docs/**/*.md', 'client/*.md', 'examples/*/*.md', '.github/*.md'], { cwd: root })
/** The code of a page: its fenced blocks and inline code. */
export const codeOf = (page: string) =>
  Array.from(
    read(page).matchAll(/^( *)```[^\n]*\n(.*?)^\1```|`([^`\n]+)`/gms),
    ([, , block, text]) => block ?? text ?? '',
  )

/** The text between a heading and the next one. */
export function section(path: string, heading: string): string {
  const [, text] = read(path).split(new RegExp(`\n#+ ${heading}\n`))
  assert.ok(text !== undefined, `${path} has a section "${heading}"`)
  return text.split(/\n#+ /)[0] ?? ''
}

/** The names in the first column of a section's table. */
export function firstColumn(path: string, heading: string): string[] {
  return Array.from(section(path, heading).matchAll(/^\| `([^`]+)` \|/gm), ([, name = '']) => name)
}

/** Sorted, without duplicates. */
export function sorted(names: Iterable<string>): string[] {
  return [...new Set(names)].toSorted((a, b) => (a < b ? -1 : 1))
}

/** The anchors of a page as GitHub generates them. */
export function anchorsOf(page: string): Set<string> {
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
  return new Set(Array.from(read(page).matchAll(/^#+ (.*)$/gm), ([, heading = '']) => slug(heading)))
}
