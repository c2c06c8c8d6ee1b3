import { resolve } from 'node:path'
import { Stop } from '../command.ts'
import { projectRoot } from '../wrangler.ts'

/** The settings of a local server. The URLs follow from the ports. */
export interface LocalServer {
  port: number
  mailboxPort: number
  stateDir: string
  url: string
  mailboxUrl: string
  /** Off by default: a program under development may send hundreds of requests a minute, all from one address. */
  rateLimits: 'on' | 'off'
  /** Variables of the environment that reach the Worker, to try features that are off on a developer's machine. */
  passedOn: Record<string, string>
  /** Pages that were built with other settings, instead of `dist`. */
  pagesDir: string | undefined
}

/** Reads `PORT`, `MAILBOX_PORT`, `STATE_DIR`, `RATE_LIMITS` and the variables that are passed on. */
export function readLocalServer(env: NodeJS.ProcessEnv): LocalServer {
  const port = readPort(env, 'PORT', 8787)
  const mailboxPort = readPort(env, 'MAILBOX_PORT', 8788)
  if (port === mailboxPort) throw new Stop('PORT and MAILBOX_PORT must differ.')
  return {
    port,
    mailboxPort,
    stateDir: resolve(projectRoot, env['STATE_DIR'] || '.state'),
    url: `http://localhost:${port}`,
    mailboxUrl: `http://localhost:${mailboxPort}`,
    rateLimits: readRateLimits(env['RATE_LIMITS']),
    pagesDir: env['PAGES_DIR'],
    passedOn: Object.fromEntries(passedOn.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
  }
}

const passedOn = ['SECOND_FACTOR', 'CORS_ORIGINS', 'TURNSTILE_SITE_KEY', 'TURNSTILE_SECRET', 'TURNSTILE_URL']

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

function readRateLimits(text: string | undefined): 'on' | 'off' {
  const word = text || 'off'
  if (word !== 'on' && word !== 'off') throw new Stop(`RATE_LIMITS must be "on" or "off", not "${word}".`)
  return word
}
