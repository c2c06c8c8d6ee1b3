import { readLocalServer } from '../../../tools/dev/settings.ts'
import { WranglerDev } from '../../../tools/dev/wrangler-dev.ts'

/**
 * `npm run dev` without its mailbox, for tests that kill the Worker: mail goes to `MAILBOX_URL`, which outlives it, as
 * Resend would. The database is as the last `npm run dev` left it.
 */

// The pages are as the last `npm run dev` built them: a build at every start would take longer than all the rest.
process.env['npm_config_script_shell'] = 'true'

const server = readLocalServer(process.env)
const worker = new WranglerDev({ ...server, mailboxUrl: process.env['MAILBOX_URL'] ?? server.mailboxUrl })
await worker.untilHealthy(server.url, new AbortController().signal)
console.log('The Worker runs.')
await worker.ended
