import { audit } from './audit/command.ts'
import { terminal } from './cloudflare/ask.ts'
import { command } from './command.ts'

/** `npm run audit` */
await command(() =>
  audit(process.argv.slice(2), { env: process.env, asker: terminal(), print: console.log, say: console.error }),
)
