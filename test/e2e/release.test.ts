/** `npm run release`, in a repository of its own that holds what a release touches. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { projectRoot } from '../../tools/wrangler.ts'

const touched = [
  'package.json',
  'client/package.json',
  'public/openapi.json',
  'tools/openapi/recorded.json',
  'client/src/api.ts',
  'package-lock.json',
  'src/version.ts',
  'CHANGELOG.md',
  'client/CHANGELOG.md',
]
const needed = ['.gitignore', 'tsconfig.json', 'client', 'tools/release.ts', 'tools/command.ts', 'tools/wrangler.ts']
const identity = { GIT_AUTHOR_NAME: 'Ada', GIT_AUTHOR_EMAIL: 'ada@example.com' }
const env = { ...process.env, ...identity, GIT_COMMITTER_NAME: 'Ada', GIT_COMMITTER_EMAIL: 'ada@example.com' }

let folder: string

const read = (path: string) => readFileSync(join(folder, path), 'utf8')
const write = (path: string, text: string) => writeFileSync(join(folder, path), text)
const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, env, encoding: 'utf8' }).trim()

function release(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/release.ts', ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  return { status, stdout, stderr: stderr.trim() }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-'))
  const isSource = (path: string) => !/\/(?:node_modules|dist)$/.test(path)
  for (const path of [...needed, ...touched]) {
    cpSync(join(projectRoot, path), join(folder, path), { recursive: true, filter: isSource })
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'))
  write(
    'CHANGELOG.md',
    '# Changelog\n\n## [Unreleased]\n\n- **Doors.** One more.\n\n## [0.1.0]\n\nThe first version.\n',
  )
  write('client/CHANGELOG.md', '# Changelog\n\n## [Unreleased]\n')
  git('init', '--quiet', '--initial-branch', 'main')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'Everything')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a release sets every version, dates both changelogs, packs the client, commits and tags', () => {
  const lockBefore = read('package-lock.json')
  const { status, stderr } = release('12.3.4')
  assert.equal(status, 0, stderr)
  const today = new Date().toISOString().slice(0, 10)
  assert.equal(
    read('CHANGELOG.md'),
    `# Changelog\n\n## [Unreleased]\n\n## [12.3.4] - ${today}\n\n- **Doors.** One more.\n\n## [0.1.0]\n\nThe first version.\n`,
  )
  assert.equal(
    read('client/CHANGELOG.md'),
    `# Changelog\n\n## [Unreleased]\n\n## [12.3.4] - ${today}\n\nNo change. Released together with the service.\n`,
  )
  assert.match(read('src/version.ts'), /'12\.3\.4'/)
  for (const path of ['package.json', 'client/package.json']) {
    assert.equal((JSON.parse(read(path)) as { version: string }).version, '12.3.4')
  }
  const changedLines = read('package-lock.json')
    .split('\n')
    .filter((line, index) => line !== lockBefore.split('\n')[index])
  assert.deepEqual(
    changedLines.map((line) => line.trim()),
    Array(3).fill('"version": "12.3.4",'),
  )
  assert.ok(existsSync(join(folder, 'release/postern-client-12.3.4.tgz')))

  assert.equal(git('log', '-1', '--format=%s'), 'Release 12.3.4')
  assert.deepEqual(git('show', '--format=', '--name-only').split('\n').toSorted(), touched.toSorted())
  assert.equal(git('rev-list', '-1', 'v12.3.4'), git('rev-parse', 'HEAD'))
  assert.equal(git('status', '--porcelain'), '')
})

test('a dry run says what it would do and does none of it', () => {
  const { status, stdout } = release('12.3.4', '--dry-run')
  assert.equal(status, 0)
  for (const path of touched) assert.match(stdout, new RegExp(`^  ${path}$`, 'm'))
  assert.equal(git('status', '--porcelain'), '')
  assert.equal(git('tag', '--list'), '')
  assert.equal(existsSync(join(folder, 'release')), false)
})

const refusals: { name: string; prepare?: () => void; args?: string[]; message: RegExp }[] = [
  { name: 'no version', args: [], message: /^Usage:/ },
  { name: 'a version of another form', args: ['v12.3.4'], message: /^Usage:/ },
  { name: 'an unknown option', args: ['12.3.4', '--push'], message: /^Usage:/ },
  { name: 'a version that is not newer', args: ['0.0.9'], message: /is not newer than/ },
  { name: 'another branch', prepare: () => git('switch', '--quiet', '--create', 'other'), message: /not on other/ },
  { name: 'a tree that is not clean', prepare: () => write('new.txt', ''), message: /not clean/ },
  { name: 'a tag that exists', prepare: () => git('tag', 'v12.3.4'), message: /exists already/ },
  {
    name: 'a changelog without changes',
    prepare() {
      write('CHANGELOG.md', '# Changelog\n\n## [Unreleased]\n\n## [0.1.0]\n')
      git('commit', '--quiet', '--all', '--message', 'Nothing new')
    },
    message: /nothing under "Unreleased"/,
  },
  {
    name: 'a file that has another version',
    prepare() {
      write('src/version.ts', `export const version = '0.0.1'\n`)
      git('commit', '--quiet', '--all', '--message', 'Another version')
    },
    message: /src\/version\.ts does not hold/,
  },
]

for (const { name, prepare, args = ['12.3.4'], message } of refusals) {
  test(`a release is refused for ${name}, and nothing is written`, () => {
    prepare?.()
    const before = git('status', '--porcelain')
    const head = git('rev-parse', 'HEAD')
    const { status, stderr } = release(...args)
    assert.equal(status, 1)
    assert.match(stderr, message)
    assert.equal(git('status', '--porcelain'), before)
    assert.equal(git('rev-parse', 'HEAD'), head)
  })
}
