/**
 * `npm run release -- X.Y.Z [--dry-run]`: sets the version, dates the changelogs, packs the client, commits and tags.
 * Nothing is pushed or published, so a release can be inspected first, and undone by dropping the commit and the tag.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Stop, command } from './command.ts'
import { projectRoot } from './wrangler.ts'

const usage = 'Usage: npm run release -- X.Y.Z [--dry-run]'
const changelogs = ['CHANGELOG.md', 'client/CHANGELOG.md']
/** JSON texts with the version, the generated ones included. CI holds those to the code. */
const versioned = [
  'package.json',
  'client/package.json',
  'public/openapi.json',
  'tools/openapi/recorded.json',
  'client/src/api.ts',
]
/** Not dist/, which is served to the public and emptied by every build. */
const packFolder = 'release'

const read = (path: string) => readFileSync(join(projectRoot, path), 'utf8')
const git = (...args: string[]) => execFileSync('git', args, { cwd: projectRoot, encoding: 'utf8' }).trim()

/** @throws {Stop} */
function readVersion(args: string[]): { version: string; isDryRun: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { 'dry-run': { type: 'boolean' } },
    })
    const [version = '', ...others] = positionals
    if (others.length > 0 || !/^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}$/.test(version)) throw new Stop(usage)
    return { version, isDryRun: values['dry-run'] ?? false }
  } catch {
    throw new Stop(usage)
  }
}

function isNewer(version: string, current: string): boolean {
  const [a, b] = [version, current].map((text) => text.split('.').map(Number))
  const place = a!.findIndex((number, index) => number !== b![index])
  return place >= 0 && a![place]! > b![place]!
}

/** @throws {Stop} when the tree is not what a tag should point at */
function assertReady(version: string, current: string): void {
  if (!isNewer(version, current)) throw new Stop(`${version} is not newer than ${current}.`)
  const branch = git('branch', '--show-current')
  if (branch !== 'main') throw new Stop(`A release is made on main, not on ${branch || 'a detached HEAD'}.`)
  if (git('status', '--porcelain') !== '') throw new Stop('Commit or stash your changes first: the tree is not clean.')
  if (git('tag', '--list', `v${version}`) !== '') throw new Stop(`The tag v${version} exists already.`)
}

/** Replaces one text by another. A place that is missing would leave two versions in one release. */
function replaced(path: string, text: string, before: string, after: string): string {
  if (!text.includes(before)) throw new Stop(`${path} does not hold ${JSON.stringify(before)}.`)
  return text.replaceAll(before, after)
}

/** Every entry of the workspace, and no dependency that happens to have the same version. */
function lockFile(version: string): string {
  type Lock = { version: string; packages: Record<string, { version?: string }> }
  const lock = JSON.parse(read('package-lock.json')) as Lock
  lock.version = version
  for (const path of ['', 'client']) lock.packages[path]!.version = version
  return `${JSON.stringify(lock, null, 2)}\n`
}

/** Puts what is unreleased under the version and the date. */
function changelog(path: string, version: string, date: string): string {
  const heading = '## [Unreleased]\n'
  const [before, after] = replaced(path, read(path), heading, heading).split(heading) as [string, string]
  const changes = after.split(/^## \[/m)[0]!.trim()
  if (changes === '' && path === changelogs[0]) throw new Stop(`${path} has nothing under "Unreleased".`)
  const text = changes || 'No change. Released together with the service.'
  const previous = /^## \[.*/ms.exec(after)?.[0] ?? ''
  return `${before}${heading}\n## [${version}] - ${date}\n\n${text}\n\n${previous}`.trimEnd().concat('\n')
}

/** @throws {Stop} */
function packClient(): void {
  mkdirSync(join(projectRoot, packFolder), { recursive: true })
  const pack = ['pack', '--workspace', 'client', '--pack-destination', packFolder]
  try {
    execFileSync('npm', pack, { cwd: projectRoot, stdio: ['ignore', 'ignore', 'inherit'] })
  } catch {
    throw new Stop('The client could not be packed, and nothing was committed. `git restore .` takes the version back.')
  }
}

await command(async () => {
  const { version, isDryRun } = readVersion(process.argv.slice(2))
  const { version: current } = JSON.parse(read('package.json')) as { version: string }
  assertReady(version, current)
  const date = new Date().toISOString().slice(0, 10)
  const files = new Map([
    ...versioned.map((path) => {
      return [path, replaced(path, read(path), `"version": "${current}"`, `"version": "${version}"`)] as const
    }),
    ['package-lock.json', lockFile(version)],
    ['src/version.ts', replaced('src/version.ts', read('src/version.ts'), `'${current}'`, `'${version}'`)],
    ...changelogs.map((path) => [path, changelog(path, version, date)] as const),
  ])
  if (isDryRun) {
    console.log(`${current} -> ${version}, ${date}. Would write, commit and tag as v${version}:`)
    for (const path of files.keys()) console.log(`  ${path}`)
    return
  }
  for (const [path, text] of files) writeFileSync(join(projectRoot, path), text)
  packClient()
  git('commit', '--quiet', '--message', `Release ${version}`, '--', ...files.keys())
  git('tag', '--annotate', `v${version}`, '--message', `Postern ${version}`)
  console.log(`v${version} is committed and tagged, and the client is packed in ${packFolder}/. Nothing was pushed.`)
})
