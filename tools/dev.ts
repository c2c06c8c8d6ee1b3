import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSettings } from './cloudflare/wrangler-toml.ts'
import { requireFreePort } from './dev/free-port.ts'
import { ensureLocalSecrets } from './dev/local-secrets.ts'
import { startSchedule } from './dev/schedule.ts'
import { readyScreen } from './dev/screen.ts'
import { type LocalServer, readLocalServer } from './dev/settings.ts'
import { WranglerDev, applyLocalMigrations } from './dev/wrangler-dev.ts'
import { startMailbox } from './mailbox/server.ts'
import { makeWebhookSecret } from './mailbox/webhook.ts'
import { command } from './stop.ts'
import { projectRoot } from './wrangler.ts'

/** `npm run dev`: the Worker, its database and a mailbox on this machine, until Ctrl-C. */
await command(async () => {
  const server = readLocalServer(process.env)
  const asked = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => asked.abort())

  prepareSecrets(server)
  await requireFreePort(server.port, 'PORT')
  await requireFreePort(server.mailboxPort, 'MAILBOX_PORT')
  try {
    await run(server, asked.signal)
  } catch (error) {
    // Ctrl-C during the start ends whatever was being waited for; that is no failure.
    if (!asked.signal.aborted) throw error
  }
})

function prepareSecrets({ stateDir }: LocalServer): void {
  const hadData = existsSync(stateDir)
  const isNew = ensureLocalSecrets(join(projectRoot, '.dev.vars'))
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  if (!isNew) return
  console.log('Made .dev.vars with new secrets for this machine.')
  if (hadData) console.log(`Passwords stored in ${stateDir} were made with other secrets: delete it to start afresh.`)
}

async function run(server: LocalServer, signal: AbortSignal): Promise<void> {
  const { crons } = readSettings(readFileSync(join(projectRoot, 'wrangler.toml'), 'utf8'))
  console.log('Starting …')
  await applyLocalMigrations(server, signal)
  const secret = makeWebhookSecret()
  const webhook = { url: `${server.url}/webhooks/resend`, secret }
  const mailbox = await startMailbox(server.mailboxPort, server.stateDir, webhook)
  const wrangler = new WranglerDev(server, { RESEND_WEBHOOK_SECRET: secret })
  let stopSchedule = () => {}
  try {
    await wrangler.untilHealthy(server.url, signal)
    stopSchedule = startSchedule(crons, (cron) => fire(server, cron))
    console.log(readyScreen(server, crons))
    await untilStopped(wrangler, signal)
  } finally {
    stopSchedule()
    await wrangler.stop()
    await mailbox.stop()
  }
}

async function untilStopped(wrangler: WranglerDev, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<'stopped'>((resolve) => signal.addEventListener('abort', () => resolve('stopped')))
  const what = await Promise.race([stopped, wrangler.ended])
  if (what !== 'stopped') throw wrangler.failure('wrangler dev ended unexpectedly.')
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
