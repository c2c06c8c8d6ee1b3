import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyLocalMigrations, localDatabase } from './dev/database.ts'
import { ensureDevVars } from './dev/dev-vars.ts'
import { requireFreePort } from './dev/free-port.ts'
import { readLocalServer } from './dev/settings.ts'
import { WranglerDev } from './dev/wrangler-dev.ts'
import { startMailbox } from './mailbox/server.ts'
import { makeWebhookSecret } from './mailbox/webhook.ts'
import { readSizes } from './scale/arguments.ts'
import { measureBytes } from './scale/bytes.ts'
import { measureCalls } from './scale/calls.ts'
import { fillDatabase } from './scale/fill.ts'
import { type Measured, report } from './scale/report.ts'
import { command } from './command.ts'
import { projectRoot } from './wrangler.ts'

/**
 * `npm run bench:scale`: what every call and job costs with a thousand, a hundred thousand and a million users. Each
 * number of users has a database of its own in a temporary folder. The tables are those of docs/performance.md.
 */
await command(async () => {
  const sizes = readSizes(process.argv.slice(2))
  const measured: Measured[] = []
  for (const users of sizes) measured.push(await measureWith(users))
  console.log(`\n${report(measured)}`)
})

async function measureWith(users: number): Promise<Measured> {
  const stateDir = mkdtempSync(join(tmpdir(), 'postern-scale-'))
  const signal = new AbortController().signal
  try {
    const { PORT = '8797', MAILBOX_PORT = '8798' } = process.env
    const server = readLocalServer({ PORT, MAILBOX_PORT, STATE_DIR: stateDir })
    await requireFreePort(server.port, 'PORT')
    await requireFreePort(server.mailboxPort, 'MAILBOX_PORT')
    const devVarsPath = join(projectRoot, '.dev.vars')
    ensureDevVars(devVarsPath)
    await applyLocalMigrations(stateDir, signal)
    const startedAt = Date.now()
    fillDatabase(stateDir, users, devVarsPath)
    const seconds = (Date.now() - startedAt) / 1000
    rmSync(join(stateDir, 'unsorted.sqlite'))
    const fileBytes = statSync(localDatabase(stateDir)).size
    console.log(`${users} users: made in ${seconds.toFixed(1)} s, ${(fileBytes / 1e6).toFixed(1)} MB`)
    const tables = measureBytes(localDatabase(stateDir))

    const secret = makeWebhookSecret()
    const mailbox = await startMailbox(server.mailboxPort, stateDir, { url: `${server.url}/webhooks/resend`, secret })
    const wrangler = new WranglerDev(server, { RESEND_WEBHOOK_SECRET: secret }, 'test/bench/metered-worker.ts')
    try {
      await wrangler.untilHealthy(server.url, signal)
      const costs = await measureCalls(server.url, server.mailboxUrl)
      return { users, seconds, fileBytes, tables, costs }
    } finally {
      await wrangler.stop()
      await mailbox.stop()
    }
  } finally {
    rmSync(stateDir, { recursive: true, force: true })
  }
}
