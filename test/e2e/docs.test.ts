/** What the documents say of the code, held to the code. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

interface Operation {
  responses?: Record<string, { content?: Record<string, { schema: unknown }> }>
}

interface Description {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown> }
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const sources = new Map(globSync('src/**/*.ts', { cwd: root }).map((path) => [path, read(path)]))
const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/*.md', { cwd: root })]

/** What a page says between a heading and the next one. */
function section(path: string, heading: string): string {
  const [, text] = read(path).split(new RegExp(`\n#+ ${heading}\n`))
  assert.ok(text !== undefined, `${path} has a section "${heading}"`)
  return text.split(/\n#+ /)[0] ?? ''
}

/** The names in the first column of a section's table. */
function firstColumn(path: string, heading: string): string[] {
  return Array.from(section(path, heading).matchAll(/^\| `([^`]+)` \|/gm), ([, name = '']) => name)
}

/** Everything once, in order. */
function sorted(names: Iterable<string>): string[] {
  return [...new Set(names)].toSorted((a, b) => (a < b ? -1 : 1))
}

function filesWith(pattern: RegExp): string[] {
  return [...sources].filter(([, source]) => pattern.test(source)).map(([path]) => path)
}

/** The anchors of a page as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
  return new Set(Array.from(read(page).matchAll(/^#+ (.*)$/gm), ([, heading = '']) => slug(heading)))
}

test('every link of a document leads to a file that is there, and to a heading in it', () => {
  const broken: string[] = []
  for (const page of pages) {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [file = '', anchor] = target.split('#')
      const path = file === '' ? page : join(dirname(page), file)
      const isThere = existsSync(join(root, path)) && (anchor === undefined || anchorsOf(path).has(anchor))
      if (!isThere) broken.push(`${page}: ${target}`)
    }
  }
  assert.deepEqual(broken, [])
})

test("the operator's table of log events is what the code writes", () => {
  const calls = [...sources.values()].flatMap((source) => [...source.matchAll(/\blog\([^,()]+, '([a-z._]+)'/g)])
  assert.ok(calls.length > 20)
  const written = calls.map(([, event = '']) => event)
  assert.deepEqual(sorted(firstColumn('docs/operations.md', 'Log events')), sorted(written))
})

test("the operator's table of audit events is what the trail can hold", () => {
  const [, list = ''] = /auditTypes = \[([^\]]*)\]/.exec(read('src/services/audit.ts')) ?? []
  const types = Array.from(list.matchAll(/'([a-z._]+)'/g), ([, type = '']) => type)
  assert.ok(types.length > 10)
  assert.deepEqual(sorted(firstColumn('docs/operations.md', 'Audit events')), sorted(types))
})

test('one place writes the log', () => {
  assert.deepEqual(filesWith(/\bconsole\b/), ['src/log.ts'])
})

test('the ways in are the calls that answer with an access token', () => {
  const { paths, components } = JSON.parse(read('public/openapi.json')) as Description
  /** A schema as text, with everything that it refers to. */
  const inFull = (schema: unknown): string =>
    JSON.stringify(schema).replaceAll(/"#\/components\/schemas\/(\w+)"/g, (_, name: string) =>
      inFull(components.schemas[name]),
    )
  const answersWithToken = ({ responses = {} }: Operation) =>
    Object.values(responses)
      .flatMap(({ content = {} }) => Object.values(content))
      .some(({ schema }) => inFull(schema).includes('"access_token":'))
  const ways = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([, operation]) => answersWithToken(operation))
      .map(([method]) => `${method.toUpperCase()} ${path}`),
  )
  assert.deepEqual(sorted(firstColumn('docs/asvs.md', 'Ways in')), sorted(ways))
})

test('the inventory of cryptography names every file that uses any, or chance', () => {
  const uses = /\bcrypto\.|\bfrom '(?:jose|node:crypto)'|\bMath\.random\b/
  const links = section('docs/asvs.md', 'Cryptography').matchAll(/\]\(\.\.\/([^)]+)\)/g)
  const tools = globSync('tools/keys/**/*.ts', { cwd: root }).filter((path) => uses.test(read(path)))
  const named = Array.from(links, ([, path = '']) => path)
  assert.deepEqual(sorted(named), sorted([...filesWith(uses), ...tools]))
})

test('nothing is encrypted, and SHA-1 is for one lookup alone', () => {
  assert.deepEqual(
    filesWith(/\b(?:encrypt|decrypt|wrapKey|unwrapKey|deriveKey|EncryptJWT|CompactEncrypt)\b|AES|RSA/),
    [],
  )
  assert.deepEqual(filesWith(/'SHA-1'/), ['src/crypto/digest.ts'])
  assert.deepEqual(sorted(filesWith(/\bsha1Hex\(/)), ['src/crypto/digest.ts', 'src/services/breach-check.ts'])
  assert.deepEqual(filesWith(/\bMD5\b/i), [])
})
