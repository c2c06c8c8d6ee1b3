import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deploy } from './cloudflare/deploy.ts'
import { command } from './stop.ts'
import { projectRoot, runWrangler } from './wrangler.ts'

/** `npm run deploy` */
await command(() =>
  deploy({
    wrangler: runWrangler,
    toml: readFileSync(join(projectRoot, 'wrangler.toml'), 'utf8'),
    env: process.env,
    say: console.log,
  }),
)
