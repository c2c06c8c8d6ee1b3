import { readLocalServer } from '../../../tools/dev/settings.ts'
import { WranglerDev } from '../../../tools/dev/wrangler-dev.ts'

/**
 * `npm run dev` without its mailbox, for tests that kill the Worker. Emails go to `MAILBOX_URL`, which keeps running, as
 * Resend would. The database must have been migrated by `npm run dev`.
 */
const server = readLocalServer(process.env)
const worker = new WranglerDev({ ...server, mailboxUrl: process.env['MAILBOX_URL'] ?? server.mailboxUrl })
await worker.untilHealthy(server.url, new AbortController().signal)
console.log('The Worker runs.')
await worker.ended
