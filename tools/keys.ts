import { join } from 'node:path'
import { terminal } from './cloudflare/ask.ts'
import { readKeysArguments, usage } from './keys/arguments.ts'
import { manageKeys } from './keys/command.ts'
import { command } from './command.ts'
import { projectRoot, runWrangler } from './wrangler.ts'

/** `npm run keys` */
await command(async () => {
  const asked = readKeysArguments(process.argv.slice(2), join(projectRoot, '.dev.vars'))
  if (asked === 'help') return console.log(usage)
  const around = { wrangler: runWrangler, env: process.env, asker: terminal(), say: console.log, now: () => new Date() }
  await manageKeys(around, asked.action, asked.options)
})
