import { resolve } from 'node:path'
import { applyLocalMigrations, isMigrated } from './dev/database.ts'
import { command } from './command.ts'
import { projectRoot } from './wrangler.ts'

/** Part of the build, for `npx wrangler dev`: brings the database that it will use to the newest schema. */
await command(async () => {
  if (process.env['WRANGLER_COMMAND'] !== 'dev') return
  const stateDir = resolve(projectRoot, process.env['STATE_DIR'] || '.wrangler/state')
  if (isMigrated(stateDir)) return
  console.log('Applying the migrations to the local database …')
  await applyLocalMigrations(stateDir, new AbortController().signal)
})
