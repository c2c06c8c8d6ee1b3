/** Checks what the documents say about the code. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { getTableColumns, getTableName } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import { logEvents } from '../../src/log.ts'
import { roleRules } from '../../src/permissions.ts'
import { pointColumns } from '../../src/point-columns.ts'
import { auditEvents, auditTypes } from '../../src/store/schema/audit.ts'
import { emails } from '../../src/store/schema/emails.ts'
import { oneTimeLinks } from '../../src/store/schema/links.ts'
import { users } from '../../src/store/schema/users.ts'
import { readKeysArguments } from '../../tools/keys/arguments.ts'
import { anchorsOf, codeOf, firstColumn, pages, read, root, section, sorted } from './support/documents.ts'
import { logCallsIn } from './support/log-calls.ts'

interface Operation {
  responses?: Record<string, { content?: Record<string, { schema: unknown }> }>
}

interface Description {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown> }
}

const sources = new Map(globSync('src/**/*.ts', { cwd: root }).map((path) => [path, read(path)]))

function filesWith(pattern: RegExp): string[] {
  return [...sources].filter(([, source]) => pattern.test(source)).map(([path]) => path)
}

test('every link of a document leads to an existing file and heading', () => {
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

test('every npm script that a document names exists', () => {
  const scriptsOf = (path: string) => Object.keys((JSON.parse(read(path)) as { scripts: object }).scripts)
  const scripts = { root: scriptsOf('package.json'), client: scriptsOf('client/package.json') }
  const named = pages.flatMap((page) =>
    codeOf(page).flatMap((code) =>
      Array.from(code.matchAll(/\bnpm run (?:-s |--silent )?([\w:-]+)([^`\n]*)/g), ([, script = '', rest = '']) => {
        const isThere = scripts[/ (?:-w|--workspace)[ =]client\b/.test(rest) ? 'client' : 'root'].includes(script)
        return { script: `${page}: ${script}`, isThere }
      }),
    ),
  )
  assert.ok(named.length > 50)
  assert.deepEqual(
    named.filter(({ isThere }) => !isThere),
    [],
  )
})

test('every `npm run keys` command of a document is valid', () => {
  const lines = pages.flatMap((page) =>
    codeOf(page).flatMap((code) => Array.from(code.matchAll(/\bnpm run keys -- ([^`#\n]+)/g), ([, line = '']) => line)),
  )
  assert.ok(lines.length > 10)
  for (const line of lines) {
    const args = line
      .trim()
      .replace(/\bSET\b/, 'TOKEN_KEYS')
      .split(/\s+/)
    assert.doesNotThrow(() => readKeysArguments(args, '.dev.vars'), line)
  }
})

test('no command of a document imports a module of the repository', () => {
  const reaching = pages.flatMap((page) =>
    codeOf(page)
      .filter((code) => /\b(?:import|require)\(\s*['"]\.|\bnode (?:-\S+ )*\S+\.ts\b/.test(code))
      .map((code) => `${page}: ${code}`),
  )
  assert.deepEqual(reaching, [])
})

test('documents call this machine localhost, as the development server does', () => {
  const stale = pages.filter((page) => page !== 'CHANGELOG.md' && /127\.0\.0\.1:(878\d|\$)/.test(read(page)))
  assert.deepEqual(stale, [])
})

test('git ignores every file that a document has an operator write, wherever it is kept', () => {
  const option = /(?:--save-secrets|--file|--output|>) +((?:~\/|\.\/)?[\w.-]+\.(?:json|sql|txt|pem|key))\b/g
  const forOperators = [
    'README.md',
    ...['operations', 'keys', 'mail', 'configuration'].map((name) => `docs/${name}.md`),
  ]
  const written = forOperators
    .flatMap((page) => codeOf(page))
    .flatMap((code) => [...code.matchAll(option)].map(([, file]) => file))
  const names = sorted(written.flatMap((file) => file?.replace(/^~\/|^\.\//, '') ?? []))
  assert.ok(names.includes('postern-secrets.json') && names.includes('since.json') && names.includes('postern.sql'))
  // What older pages said, and what the tools write beside a file while they replace it.
  const all = [...names, 'keys.json', 'secrets.json', '.dev.vars', '.env', ...names.map((name) => `${name}.1234.new`)]
  for (const name of all.filter((each) => !/\.sql\..*new$|^since.*new$/.test(each))) {
    assert.equal(spawnSync('git', ['check-ignore', '-q', name], { cwd: root }).status, 0, name)
  }
  assert.notEqual(spawnSync('git', ['check-ignore', '-q', 'migrations/0000_accounts.sql'], { cwd: root }).status, 0)
})

test('documents have one name for the copy of the secrets', () => {
  const options = pages.flatMap((page) => codeOf(page).flatMap((code) => code.match(/--save-secrets +\S+/g) ?? []))
  assert.deepEqual(sorted(options.filter((option) => !/FILE/.test(option))), ['--save-secrets ~/postern-secrets.json'])
})

test('every path of the repository that a document names exists', () => {
  const folders = 'src|test|tools|docs|web|client|emails|examples|migrations|public|\\.ci'
  const isPath = new RegExp(`^(?:(?:${folders})(?:/[\\w.*-]+)*/?|[\\w-]+(?:/[\\w.-]+)*\\.(?:ts|tsx|toml|md))$`)
  const named = pages.flatMap((page) =>
    codeOf(page)
      .flatMap((code) => code.split(/[\s'"=:()]+/))
      .filter((word) => isPath.test(word))
      .map((path) => ({ page, path })),
  )
  assert.ok(named.length > 100)
  // A file name without a folder refers to the folder that the sentence is about.
  const placesOf = (page: string, path: string) => [path, join('src/**', path), join(dirname(page), path)]
  const missing = named.filter(({ page, path }) => globSync(placesOf(page, path), { cwd: root }).length === 0)
  assert.deepEqual(missing, [])
})

test("the operator's table of log events is what the code writes", () => {
  const calls = [...sources.values()].flatMap(logCallsIn)
  assert.ok(calls.length > 20)
  const byEvent = [...Map.groupBy(calls, ({ event }) => event)]
  assert.deepEqual(sorted(byEvent.map(([event]) => event)), sorted(logEvents))
  const written = byEvent.map(([event, all]) => [event, sorted(all.flatMap(({ fields }) => fields))] as const)
  const rows = section('docs/operations.md', 'Log events').matchAll(/^\| `([^`]+)` \| [^|]+ \| ([^|]+) \|/gm)
  const told = Array.from(rows, ([, event = '', cell = '']) => {
    const names = Array.from(cell.matchAll(/`(\w+)`|(error fields)/g), ([, name, group]) => name ?? group ?? '')
    return [event, sorted(names)] as const
  })
  assert.deepEqual(new Map(told), new Map(written))
})

test("the operator's table of metrics is what the code writes", () => {
  const rows = section('docs/operations.md', 'Metrics').matchAll(/^\| `(\w+)` \|.*\| ([^|]+) \|$/gm)
  const told = Array.from(rows, ([, kind = '', cell = '']) => [kind, cell.match(/\w+/g)] as const)
  const isKind = ([kind]: readonly [string, unknown]) => kind in pointColumns
  assert.deepEqual(Object.fromEntries(told.filter(isKind)), pointColumns)
})

test('the table of log events lists every reason of a 503', () => {
  const [, told = ''] = /^\| `request\.unavailable` \|[^|]*\|[^|]*\|([^|]*)\|/m.exec(read('docs/operations.md')) ?? []
  const reasons = [...sources.values()].flatMap((source) => [...source.matchAll(/\bunavailable\('([a-z0-9_]+)'/g)])
  assert.ok(reasons.length > 5)
  assert.deepEqual(
    reasons.map(([, reason = '']) => reason).filter((reason) => !told.includes(`\`${reason}\``)),
    [],
  )
})

test('the table of what a local server takes from its environment is what the code reads', () => {
  const code = globSync(['tools/dev/*.ts', 'web/build/*.ts'], { cwd: root }).map(read).join('\n')
  const [, passedOn = ''] = /const passedOn = \[(.*)\]/.exec(code) ?? []
  const named = code.matchAll(/env\['([A-Z_]+)'\]|readPort\(env, '([A-Z_]+)'/g)
  const names = [...Array.from(named, ([, one, port]) => one ?? port ?? ''), ...(passedOn.match(/[A-Z_]+/g) ?? [])]
  const table = section('docs/configuration.md', 'On your machine').matchAll(/^\| (`.*?) \|/gm)
  const told = Array.from(table, ([, cell = '']) => cell.match(/[A-Z_]+/g) ?? []).flat()
  assert.deepEqual(sorted(told), sorted(names))
})

test('the tables of variables and secrets match the configuration', () => {
  const toml = read('wrangler.toml')
  const [, vars = ''] = /^\[vars\]$(.*?)^\[/ms.exec(toml) ?? []
  const variables = Array.from(vars.matchAll(/^([A-Z_]+) =/gm), ([, name = '']) => name)
  const required = /^required = \[(.*)\]$/m.exec(toml)?.[1]?.match(/[A-Z_]+/g) ?? []
  const optional = read('src/config/optional-secrets.d.ts').match(/[A-Z_]+(?=\?:)/g) ?? []
  assert.ok(variables.length > 10 && required.length > 3 && optional.length > 1)
  assert.deepEqual(sorted(firstColumn('docs/configuration.md', 'Variables')), sorted(variables))
  assert.deepEqual(sorted(firstColumn('docs/configuration.md', 'Secrets')), sorted([...required, ...optional]))
  const secrets = section('docs/operations.md', 'Secrets').split('If the copy')[0] ?? ''
  const told = Array.from(secrets.matchAll(/^\| `([A-Z_]+)` \|/gm), ([, name = '']) => name)
  assert.deepEqual(sorted(told), sorted([...required, ...optional]))
  const leaked = section('docs/operations.md', 'When something leaked')
  assert.deepEqual(sorted([...required, ...optional].filter((name) => !leaked.includes(`\n| \`${name}\` |`))), [])
})

test('the architecture page lists every table, kind of token and template', () => {
  const names = (path: string, pattern: RegExp) => Array.from(read(path).matchAll(pattern), ([, name = '']) => name)
  const tables = globSync('src/store/schema/*.ts', { cwd: root }).flatMap((path) =>
    names(path, /sqliteTable\(\s*'([a-z_]+)'/g),
  )
  assert.ok(tables.length > 5)
  assert.deepEqual(sorted(firstColumn('docs/architecture.md', 'The tables')), sorted(tables))
  const tokens = names('src/crypto/tokens.ts', /^ {2}'([a-z]+\+jwt)': \{/gm)
  const kinds = section('docs/architecture.md', 'Tokens').matchAll(/^\| [^|]+ \| `([a-z]+\+jwt)` \|/gm)
  assert.ok(tokens.length > 3)
  assert.deepEqual(sorted(Array.from(kinds, ([, kind = '']) => kind)), sorted(tokens))
  const [, table = ''] = /const table = \{\n(.*?)\n\}/s.exec(read('src/services/mail/kinds.ts')) ?? []
  const templates = Array.from(table.matchAll(/^  ([a-z_]+):/gm), ([, template = '']) => template)
  assert.ok(templates.length > 10)
  const [, told = ''] = /^Templates in the outbox: ([^.]*)\./m.exec(read('docs/architecture.md')) ?? []
  assert.deepEqual(sorted(told.match(/(?<=`)[a-z_]+(?=`)/g) ?? []), sorted(templates))
})

test('the floors of the rooms on the architecture page are those of the linter, and every file of a service has a room', () => {
  const rows = section('docs/architecture.md', 'Rooms of the services').matchAll(
    /^\| (\d) \| `services\/([a-z-]+)` \|/gm,
  )
  const rooms = Array.from(rows, ([, level, name = '']) => ({ level: Number(level), name }))
  const told = rooms.map(({ level, name }) => {
    const below = rooms.filter((room) => room.level < level)
    return [`src/services/${name}`, sorted(below.map((room) => `!../${room.name}/*`))] as const
  })
  const { overrides } = JSON.parse(read('.oxlintrc.json')) as { overrides: object[] }
  const linted = overrides.flatMap((override) => {
    const text = JSON.stringify(override)
    const [, room] = /"(src\/services\/[a-z-]+)\/\*\*"/.exec(text) ?? []
    return room ? [[room, sorted(text.match(/!\.\.\/[a-z-]+\/\*/g) ?? [])] as const] : []
  })
  assert.deepEqual(new Map(linted), new Map(told))
  const folders = globSync('src/services/**/*.ts', { cwd: root }).map(dirname)
  assert.deepEqual(sorted(folders), sorted(told.map(([folder]) => folder)))
})

test("the operator's table of audit events is what the trail can hold", () => {
  assert.deepEqual(sorted(firstColumn('docs/operations.md', 'Audit events')), sorted(auditTypes))
})

test("the operator's table of numbers is what the columns hold", () => {
  const coded = [users, oneTimeLinks, emails, auditEvents].flatMap((table) =>
    Object.values(getTableColumns(table) as Record<string, SQLiteColumn>)
      .filter((column) => column.columnType === 'SQLiteCustomColumn' && column.getSQLType() === 'integer')
      .map((column) => [`${getTableName(table)}.${column.name}`, wordsOf(column)] as const),
  )
  assert.ok(coded.length > 5)
  const rows = section('docs/operations.md', 'Reading the database').matchAll(/^\| (`[^|]+`) \| (\d [^|]+) \|$/gm)
  const told = Array.from(rows).flatMap(([, columns = '', numbers = '']) =>
    Array.from(columns.matchAll(/`([a-z_.]+)`/g), ([, column]) => [column, numbers.split(', ')]),
  )
  assert.deepEqual(Object.fromEntries(told), Object.fromEntries(coded))
})

test('the overview of the API lists every call and permission', () => {
  const { paths } = JSON.parse(read('public/openapi.json')) as Description
  const served = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((method) => method !== 'parameters')
      .map((method) => `${method.toUpperCase()} ${path}`),
  )
  // A row may have several methods for a path, each with a note of its own: `PATCH` ⁺ `DELETE` ⁺ `/users/me`.
  const cells = Array.from(section('docs/api.md', 'Calls').matchAll(/^\| ([^|]+) \|/gm), ([, cell = '']) => cell)
  const told = cells
    .flatMap((cell) => cell.split(','))
    .flatMap((calls) => {
      const [path = ''] = /\/[^\s`]*/.exec(calls) ?? []
      return Array.from(calls.matchAll(/\b[A-Z]{3,}\b/g), ([method]) => `${method} ${path}`)
    })
  assert.deepEqual(sorted(told), sorted(served.filter((call) => call !== 'GET /openapi.json')))
  const permissions = section('docs/api.md', 'Roles and permissions').match(/[a-z]+:[a-z-]+/g) ?? []
  assert.deepEqual(sorted(permissions), sorted(roleRules.ADMIN.permissions))
})

test('every threat has an id of its own, and names a test or says that there is none', () => {
  const rows = Array.from(read('docs/threat-model.md').matchAll(/^\| (B\d+-[STRIDE]\d+) \| .* \| ([^|]+) \|$/gm))
  const ids = rows.map(([, id = '']) => id)
  assert.ok(ids.length > 50)
  assert.equal(new Set(ids).size, ids.length)
  const unclear = rows.filter(([, , shownBy = '']) => !/`(?:test\/|\.ci\/run)|no test/.test(shownBy))
  assert.deepEqual(
    unclear.map(([, id]) => id),
    [],
  )
})

test('one place writes the log', () => {
  assert.deepEqual(filesWith(/\bconsole\b/), ['src/log.ts'])
})

test('the ways in are the calls that answer with an access token', () => {
  const { paths, components } = JSON.parse(read('public/openapi.json')) as Description
  /** A schema as text, with all references resolved. */
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

test('one file encrypts, with AES-GCM, and SHA-1 is for one lookup and for codes of apps', () => {
  const encrypts = /\b(?:encrypt|decrypt|wrapKey|unwrapKey|deriveKey|EncryptJWT|CompactEncrypt)\b|AES/
  assert.deepEqual(filesWith(encrypts), ['src/crypto/data-keys.ts'])
  assert.doesNotMatch(read('src/crypto/data-keys.ts'), /AES-(?!GCM|256-GCM)/)
  // Signatures of passkeys alone.
  assert.deepEqual(filesWith(/\bRSA/), ['src/crypto/webauthn/cose-key.ts'])
  assert.doesNotMatch(read('src/crypto/webauthn/cose-key.ts'), /OAEP|RSAES/)
  assert.deepEqual(sorted(filesWith(/'SHA-1'/)), ['src/crypto/digest.ts', 'src/crypto/totp.ts'])
  assert.deepEqual(sorted(filesWith(/\bsha1Hex\(/)), ['src/crypto/digest.ts', 'src/services/passwords/breach-check.ts'])
  assert.deepEqual(filesWith(/\bMD5\b/i), [])
})

/** `0 queued`, for each word of a column. */
function wordsOf(column: SQLiteColumn): string[] {
  return Array.from({ length: 1000 }, (_, number) => {
    const word: unknown = column.mapFromDriverValue(number)
    return typeof word === 'string' ? [`${number} ${word}`] : []
  }).flat()
}
