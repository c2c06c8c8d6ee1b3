/**
 * Preparations that every start of `npm run dev` needs and that take longer than the tests: the pages and the schema of
 * the database. `--test-global-setup` runs this once for all files; a file that runs alone prepares for itself.
 */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { applyLocalMigrations } from '../../../tools/dev/database.ts'
import { ensureDevVars } from '../../../tools/dev/dev-vars.ts'
import { projectRoot } from '../../../tools/wrangler.ts'

const variable = 'PREPARED_STATE_DIR'

/** Node 24 runs no test after a setup that failed, prints nothing and exits with 0. */
export async function globalSetup(): Promise<void> {
  try {
    const [stateDir] = await Promise.all([migratedState(), buildPages()])
    process.env[variable] = stateDir
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}

export async function globalTeardown(): Promise<void> {
  await rm(process.env[variable] ?? '', { recursive: true, force: true })
}

/** A new state directory with an empty database of the newest schema, and the pages beside it. */
export async function prepareState(): Promise<string> {
  const prepared = process.env[variable]
  if (prepared === undefined) return (await Promise.all([migratedState(), buildPages()]))[0]
  const stateDir = await emptyState()
  await cp(prepared, stateDir, { recursive: true })
  return stateDir
}

/** A new state directory as on a fresh clone, without a database, and the pages beside it. */
export async function prepareFreshState(): Promise<string> {
  if (process.env[variable] === undefined) await buildPages()
  return emptyState()
}

async function migratedState(): Promise<string> {
  const stateDir = await emptyState()
  ensureDevVars(join(projectRoot, '.dev.vars'))
  await applyLocalMigrations(stateDir, new AbortController().signal)
  return stateDir
}

async function buildPages(): Promise<void> {
  await promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: projectRoot })
}

function emptyState(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'postern-'))
}
