import { join } from 'node:path'
import { terminal } from './cloudflare/ask.ts'
import { provision } from './cloudflare/provision.ts'
import { command, readArguments } from './command.ts'
import { projectRoot, runWrangler } from './wrangler.ts'

const usage = `npm run provision -- [--yes] [--workers-paid] [--public-url https://…] [--save-secrets FILE]
                         [--algorithm EdDSA|ES256] [--audit-archive] [--metrics]
                         [--location PLACE | --jurisdiction PLACE]

Creates the D1 database, the KV namespace, the queues and the secrets at Cloudflare, and writes the ids into wrangler.toml.
  --yes           go ahead without asking
  --workers-paid  the account is on the Workers Paid plan, without which Cloudflare refuses the deployment
  --public-url    the https address at which people will reach Postern
  --save-secrets  also write the generated secrets to a new file: Cloudflare does not show them again
  --algorithm     how access tokens are signed: EdDSA (default), or ES256 for services whose library lacks EdDSA
  --audit-archive
                  also make an R2 bucket for old audit events, and bind it in wrangler.toml
  --metrics       also bind a dataset of Analytics Engine in wrangler.toml, for metrics
  --location      where the database is: weur, eeur, apac, oc, wnam or enam; without it, near you
  --jurisdiction  which region the database and the KV namespace never leave: eu, us or fedramp
RESEND_API_KEY is read from the environment; without it the command asks.`

const options = {
  yes: { type: 'boolean', default: false },
  'workers-paid': { type: 'boolean', default: false },
  help: { type: 'boolean' },
  'public-url': { type: 'string' },
  'save-secrets': { type: 'string' },
  algorithm: { type: 'string' },
  'audit-archive': { type: 'boolean', default: false },
  metrics: { type: 'boolean', default: false },
  location: { type: 'string' },
  jurisdiction: { type: 'string' },
} as const

/** `npm run provision` */
await command(async () => {
  const { values } = readArguments({ options }, usage)
  if (values.help) return console.log(usage)
  await provision(
    {
      wrangler: runWrangler,
      toml: join(projectRoot, 'wrangler.toml'),
      env: process.env,
      asker: terminal(),
      say: console.log,
    },
    {
      isConfirmed: values.yes,
      isPaidPlan: values['workers-paid'],
      publicUrl: values['public-url'],
      saveSecretsTo: values['save-secrets'],
      algorithm: values.algorithm,
      hasAuditArchive: values['audit-archive'],
      hasMetrics: values.metrics,
      location: values.location,
      jurisdiction: values.jurisdiction,
    },
  )
})
