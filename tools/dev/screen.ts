import { join } from 'node:path'
import { projectRoot } from '../wrangler.ts'
import { type LocalServer, localAdminEmail } from './settings.ts'

/** The text that `npm run dev` prints when everything runs. */
export function readyScreen(
  { port, mailboxPort, stateDir, url, mailboxUrl }: LocalServer,
  crons: readonly string[],
): string {
  const isUsualState = stateDir === join(projectRoot, '.state')
  const isUsual = port === 8787 && mailboxPort === 8788
  const demo = isUsual ? 'npm run demo' : `PORT=${port} MAILBOX_PORT=${mailboxPort} npm run demo`
  const seed = isUsualState ? 'npm run seed' : `STATE_DIR=${stateDir} npm run seed`
  const cron = encodeURIComponent(crons.at(-1) ?? '0 * * * *')
  return `
  Postern runs.

  API        ${url}
  Pages      ${url}/sign-in, /sign-up, /account
  Console    ${url}/console
  Reference  ${url}/docs
  Mailbox    ${mailboxUrl}
  Data       ${stateDir}

  Demo       ${demo}
  Seed       stop, then ${seed}: fills the database with sample users
  ADMIN      sign up as ${localAdminEmail} and follow the link in the mailbox: this account becomes ADMIN
  Crons      fire on schedule (${crons.join(', ')} UTC); to fire one now: curl '${url}/cdn-cgi/handler/scheduled?cron=${cron}'
  Stop       Ctrl-C; the data stays
`
}
