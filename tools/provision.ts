import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { terminal } from './cloudflare/ask.ts'
import { provision } from './cloudflare/provision.ts'
import { Stop, command } from './stop.ts'
import { projectRoot, runWrangler } from './wrangler.ts'

const usage = `npm run provision -- [--yes] [--public-url https://…] [--save-secrets FILE]

Makes the D1 database, the KV namespace, the queues and the secrets at Cloudflare, and writes the ids into wrangler.toml.
  --yes           go ahead without asking
  --public-url    the https address people will reach Postern at
  --save-secrets  also write the generated secrets to a new file: Cloudflare does not show them again
RESEND_API_KEY is taken from the environment, or asked for.`

/** `npm run provision` */
await command(async () => {
  const options = readArguments()
  if (options.help) return console.log(usage)
  const path = join(projectRoot, 'wrangler.toml')
  await provision(
    {
      wrangler: runWrangler,
      toml: { read: () => readFileSync(path, 'utf8'), write: (text) => writeFileSync(path, text) },
      env: process.env,
      asker: terminal(),
      say: console.log,
    },
    {
      isConfirmed: options.yes ?? false,
      publicUrl: options['public-url'],
      saveSecretsTo: options['save-secrets'],
    },
  )
})

function readArguments() {
  try {
    return parseArgs({
      options: {
        yes: { type: 'boolean' },
        help: { type: 'boolean' },
        'public-url': { type: 'string' },
        'save-secrets': { type: 'string' },
      },
    }).values
  } catch (error) {
    throw new Stop(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  }
}
