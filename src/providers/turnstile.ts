/** The way out of the house for one question: did a human solve the challenge? Cloudflare Turnstile's siteverify. */
import type { Config } from '../config/settings.ts'

/** What a token was made for: the `data-action` of the widget. Without one it counts for each of them. */
export type TurnstileAction = 'register' | 'login' | 'password_reset'

export type TurnstileVerdict =
  | { kind: 'human' }
  /** Forged, expired, spent, or made for another site or form. */
  | { kind: 'refused'; reason: string }
  /** Nobody knows. */
  | { kind: 'unavailable'; reason: string; cause?: unknown }

/** Who waits for it is signing in. */
const timeoutMs = 3_000

/** What is wrong with Cloudflare, or with our own secret: nothing that the visitor did. */
const notTheVisitor = ['internal-error', 'bad-request', 'missing-input-secret', 'invalid-input-secret']

/** Asks about one token. Sends the token and the visitor's address, and nothing else about anybody. Never throws. */
export async function askTurnstile(
  config: Config,
  secret: string,
  token: string,
  ip: string | null,
  action: TurnstileAction,
): Promise<TurnstileVerdict> {
  try {
    const response = await fetch(config.turnstileUrl, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ secret, response: token, ...(ip !== null && { remoteip: ip }) }),
      // The secret goes nowhere else.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    })
    return meaningOf(response.ok, await response.json(), hostsOf(config), action)
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

/** A token that a human really got on another site, and sold or was tricked out of, is as good as none. */
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

/** Where a widget of ours may stand: this service's own pages, and those that may call it. */
function hostsOf({ publicUrl, corsOrigins }: Config): string[] {
  return [publicUrl, ...corsOrigins].map((origin) => new URL(origin).hostname)
}

/** Cloudflare's words, if they look like them: they go to the log. */
function isCode(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z-]{1,64}$/.test(value)
}
