import { terminal } from './cloudflare/ask.ts'
import { rollback } from './cloudflare/rollback.ts'
import { command, readArguments } from './command.ts'
import { runWrangler } from './wrangler.ts'

const usage = `npm run rollback -- [VERSION] [--yes]

Deploys an earlier version of the Worker, by default the one that was deployed before. Refuses a version with other secrets.
  --yes   go ahead without asking`

const options = { yes: { type: 'boolean', default: false }, help: { type: 'boolean' } } as const

/** `npm run rollback` */
await command(async () => {
  const { values, positionals } = readArguments({ options, allowPositionals: true }, usage)
  if (values.help) return console.log(usage)
  const around = { wrangler: runWrangler, env: process.env, asker: terminal(), say: console.log }
  await rollback(around, { version: positionals[0], isConfirmed: values.yes })
})
