import { Refusal } from './refusal.ts'

/** Resend forgets a key after a day. */
const keptMs = 24 * 60 * 60 * 1000
const maxKeyLength = 256

/** What an idempotency key was first used for, and what was answered then. */
export interface KeyUse {
  path: string
  key: string
  fingerprint: string
  answer: unknown
  at: number
}

/** The keys of the last day. One key means one request per path, as at Resend. */
export class IdempotencyKeys {
  readonly #uses = new Map<string, KeyUse>()

  remember(use: KeyUse): void {
    this.#uses.set(nameOf(use.path, use.key), use)
  }

  /**
   * The answer to repeat, or `undefined` when the request is new.
   *
   * @throws {Refusal} when the key was used with another payload.
   */
  replay(path: string, key: string, fingerprint: string, now: number): unknown {
    const use = this.#uses.get(nameOf(path, key))
    if (!use || now - use.at >= keptMs) return undefined
    if (use.fingerprint !== fingerprint) {
      throw new Refusal(
        'invalid_idempotent_request',
        'This idempotency key was used within the last 24 hours with another payload.',
      )
    }
    return use.answer
  }
}

/** The key of a request, if it has one. */
export function idempotencyKey(request: Request): string | null {
  const key = request.headers.get('idempotency-key')
  if (key !== null && (key.length === 0 || key.length > maxKeyLength)) {
    throw new Refusal(
      'invalid_idempotency_key',
      `The idempotency key must be between 1 and ${maxKeyLength} characters.`,
    )
  }
  return key
}

/** Stands for a payload without keeping it a second time. */
export async function fingerprintOf(payload: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(payload))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function nameOf(path: string, key: string): string {
  return `${path}\n${key}`
}
