import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { terminal } from './cloudflare/ask.ts'
import { deploy } from './cloudflare/deploy.ts'
import { command, readArguments } from './command.ts'
import { migrationsFolder } from './migrations.ts'
import { projectRoot, runWrangler } from './wrangler.ts'

const usage = `npm run deploy -- [--yes-large]

Migrates the remote database and deploys the Worker.
  --yes-large   apply a migration of a table with a million rows or more without asking`

const options = { 'yes-large': { type: 'boolean', default: false }, help: { type: 'boolean' } } as const

/** `npm run deploy` */
await command(async () => {
  const { values } = readArguments({ options }, usage)
  if (values.help) return console.log(usage)
  const around = {
    wrangler: runWrangler,
    toml: join(projectRoot, 'wrangler.toml'),
    migrations: migrationsFolder,
    env: process.env,
    asker: terminal(),
    say: console.log,
    fetch,
    sleep: setTimeout,
  }
  await deploy(around, { isConfirmed: values['yes-large'] })
})
