import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { deploy } from './cloudflare/deploy.ts'
import { command } from './command.ts'
import { projectRoot, runWrangler } from './wrangler.ts'

/** `npm run deploy` */
await command(() =>
  deploy({
    wrangler: runWrangler,
    toml: join(projectRoot, 'wrangler.toml'),
    env: process.env,
    say: console.log,
    fetch,
    sleep: setTimeout,
  }),
)
