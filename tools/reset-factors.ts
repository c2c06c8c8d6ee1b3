import { terminal } from './cloudflare/ask.ts'
import { command } from './command.ts'
import { resetFactors } from './factors/reset.ts'
import { runWrangler } from './wrangler.ts'

/** `npm run reset-factors` */
await command(() =>
  resetFactors(process.argv.slice(2), {
    wrangler: runWrangler,
    env: process.env,
    asker: terminal(),
    say: console.log,
    now: () => new Date(),
  }),
)
