/** Cloudflare Turnstile's siteverify: did a human solve the challenge? */
import type { Config } from '../config/settings.ts'
import { send } from './outgoing.ts'

/**
 * The form that a token was made for: the `data-action` of the widget. A token without an action counts for every form.
 */
export type TurnstileAction = 'register' | 'login' | 'password_reset'

export type TurnstileVerdict =
  | { kind: 'human' }
  /** Forged, expired, spent, or made for another site or form. */
  | { kind: 'refused'; reason: string }
  /** Cloudflare gave no usable answer. */
  | { kind: 'unavailable'; reason: string; cause?: unknown }

/** Short, because a user is waiting. */
const limits = { timeoutMs: 3_000, maxBytes: 16 * 1024 }

/** Faults of Cloudflare or of our own secret, not of the visitor. */
const notTheVisitor = ['internal-error', 'bad-request', 'missing-input-secret', 'invalid-input-secret']

/** Asks about one token. Sends only the token and the visitor's IP address. Never throws. */
export async function askTurnstile(
  config: Config,
  secret: string,
  token: string,
  ip: string | null,
  action: TurnstileAction,
): Promise<TurnstileVerdict> {
  try {
    const body = JSON.stringify({ secret, response: token, ...(ip !== null && { remoteip: ip }) })
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }
    const { isOk, text } = await send(config.turnstileUrl, '', init, limits)
    return meaningOf(isOk, JSON.parse(text), hostsOf(config), action)
  } catch (cause) {
    return { kind: 'unavailable', reason: 'no_answer', cause }
  }
}

interface Siteverify {
  success?: unknown
  hostname?: unknown
  action?: unknown
  'error-codes'?: unknown
}

/** Refuses a token that a human got on another site, and sold or was tricked out of. */
function meaningOf(isOk: boolean, answer: unknown, hosts: string[], expected: TurnstileAction): TurnstileVerdict {
  const { success, hostname, action, 'error-codes': errorCodes }: Siteverify = Object(answer)
  if (success === false) {
    const codes = Array.isArray(errorCodes) ? errorCodes.filter(isCode) : []
    const kind = codes.some((code) => notTheVisitor.includes(code)) ? 'unavailable' : 'refused'
    return { kind, reason: codes.join(' ') }
  }
  if (success !== true || !isOk) return { kind: 'unavailable', reason: 'unreadable_answer' }
  if (typeof hostname !== 'string' || !hosts.includes(hostname)) return { kind: 'refused', reason: 'hostname' }
  return action && action !== expected ? { kind: 'refused', reason: 'action' } : { kind: 'human' }
}

/** The hosts whose pages may show our widget: this service's own, and those on the CORS list. */
function hostsOf({ ownOrigins, corsOrigins }: Config): string[] {
  return [...ownOrigins, ...corsOrigins].map((origin) => new URL(origin).hostname)
}

/** Only what looks like one of Cloudflare's codes may go to the log. */
function isCode(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z-]{1,64}$/.test(value)
}
