import { existsSync, mkdirSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { readSettings } from './cloudflare/wrangler-toml.ts'
import { applyLocalMigrations } from './dev/database.ts'
import { requireFreePort } from './dev/free-port.ts'
import { ensureDevVars } from './dev/dev-vars.ts'
import { startSchedule } from './dev/schedule.ts'
import { readyScreen } from './dev/screen.ts'
import { type LocalServer, readLocalServer } from './dev/settings.ts'
import { WranglerDev } from './dev/wrangler-dev.ts'
import { startMailbox } from './mailbox/server.ts'
import { makeWebhookSecret } from './mailbox/webhook.ts'
import { command } from './command.ts'
import { whileSaying } from './progress.ts'
import { projectRoot } from './wrangler.ts'

/** `npm run dev`: runs the Worker, its database and a mailbox on this machine until Ctrl-C. */
await command(async () => {
  const server = readLocalServer(process.env)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())

  prepareSecrets(server)
  await requireFreePort(server.port, 'PORT')
  await requireFreePort(server.mailboxPort, 'MAILBOX_PORT')
  try {
    await run(server, stop.signal)
  } catch (error) {
    // Ctrl-C during the start interrupts the step in progress. That is not a failure.
    if (!stop.signal.aborted) throw error
  }
})

function prepareSecrets({ stateDir }: LocalServer): void {
  const hadData = existsSync(stateDir)
  const isNew = ensureDevVars(join(projectRoot, '.dev.vars'))
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  if (!isNew) return
  console.log('Generated .dev.vars with new secrets for this machine.')
  if (hadData) console.log(`Passwords in ${stateDir} were stored with other secrets: delete it to start afresh.`)
}

async function run(server: LocalServer, signal: AbortSignal): Promise<void> {
  console.log('Starting …')
  await applyLocalMigrations(server.stateDir, signal)
  const secret = makeWebhookSecret()
  const webhook = { url: `${server.url}/webhooks/resend`, secret }
  const mailbox = await startMailbox(server.mailboxPort, server.stateDir, webhook)
  const wrangler = new WranglerDev(server, { RESEND_WEBHOOK_SECRET: secret })
  let stopSchedule = () => {}
  try {
    const [{ triggers }] = await Promise.all([
      readSettings(join(projectRoot, 'wrangler.toml')),
      whileSaying('Still starting: the pages and the Worker are built …', wrangler.untilHealthy(server.url, signal)),
    ])
    stopSchedule = startSchedule(triggers.crons, (cron) => fire(server, cron))
    console.log(readyScreen(server, triggers.crons))
    await untilStopped(wrangler, signal)
  } finally {
    stopSchedule()
    await wrangler.stop()
    await mailbox.stop()
  }
}

async function untilStopped(wrangler: WranglerDev, signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await Promise.race([once(signal, 'abort'), wrangler.ended])
  if (!signal.aborted) throw wrangler.failure('wrangler dev ended unexpectedly.')
  console.log('\nStopping …')
}

async function fire({ url }: LocalServer, cron: string): Promise<void> {
  try {
    const answer = await fetch(`${url}/cdn-cgi/handler/scheduled?cron=${encodeURIComponent(cron)}`)
    if (!answer.ok) console.error(`The cron "${cron}" failed: ${answer.status} ${await answer.text()}`)
  } catch {
    console.error(`The cron "${cron}" could not be fired: the Worker does not answer.`)
  }
}
