import { Refusal } from './refusal.ts'

/** Resend keeps a key for 24 hours. */
const keptMs = 24 * 60 * 60 * 1000
const maxKeyLength = 256

/** The first use of an idempotency key, and its answer. */
export interface KeyUse {
  path: string
  key: string
  /** A hash of the payload. */
  fingerprint: string
  answer: unknown
  at: number
}

/** The idempotency keys of the last 24 hours. As at Resend, a key stands for one request on each path. */
export class IdempotencyKeys {
  readonly #uses = new Map<string, KeyUse>()

  remember(use: KeyUse): void {
    this.#uses.set(nameOf(use.path, use.key), use)
  }

  /**
   * The answer to repeat, or `undefined` for a new request.
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

/** @throws {Refusal} for a key that is empty or too long. */
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

function nameOf(path: string, key: string): string {
  return `${path}\n${key}`
}
