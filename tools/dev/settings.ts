import { resolve } from 'node:path'
import { Stop } from '../stop.ts'
import { projectRoot } from '../wrangler.ts'

/** Where a local server runs; everything else about it follows from these three. */
export interface LocalServer {
  port: number
  mailboxPort: number
  stateDir: string
  url: string
  mailboxUrl: string
}

/** Reads `PORT`, `MAILBOX_PORT` and `STATE_DIR`. */
export function readLocalServer(env: NodeJS.ProcessEnv): LocalServer {
  const port = readPort(env, 'PORT', 8787)
  const mailboxPort = readPort(env, 'MAILBOX_PORT', 8788)
  if (port === mailboxPort) throw new Stop('PORT and MAILBOX_PORT must differ.')
  return {
    port,
    mailboxPort,
    stateDir: resolve(projectRoot, env['STATE_DIR'] || '.state'),
    url: `http://127.0.0.1:${port}`,
    mailboxUrl: `http://127.0.0.1:${mailboxPort}`,
  }
}

/** The address that becomes ADMIN on a developer's machine. */
export const localAdminEmail = 'admin@example.com'

function readPort(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name]
  if (!text) return fallback
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new Stop(`${name} must be a port number, not "${text}".`)
  return port
}
