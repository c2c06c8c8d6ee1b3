import { join } from 'node:path'
import { ensureDevVars, settingsLackingIn } from './dev/dev-vars.ts'
import { command } from './command.ts'
import { projectRoot } from './wrangler.ts'

/** Runs after `npm ci`, so that a plain `npx wrangler dev` finds the settings and secrets of this machine. */
await command(async () => {
  const path = join(projectRoot, '.dev.vars')
  if (ensureDevVars(path)) return console.log('Made .dev.vars with development settings and new secrets.')
  const lacking = settingsLackingIn(path)
  if (lacking.length > 0) {
    console.log(`.dev.vars has no ${lacking.join(', ')}: \`npm run dev\` needs none of it, \`npx wrangler dev\` does.`)
  }
})
