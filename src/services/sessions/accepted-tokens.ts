import { maxRememberedTokens, rememberedMs } from '../../config/policy.ts'
import type { Claims, TokenSettings } from '../../crypto/tokens.ts'

interface Accepted {
  claims: Claims<'at+jwt'>
  /** What it was verified with. Under other settings, those of another environment, it is verified again. */
  settings: TokenSettings
  /** A clock that shows an earlier time was set back. The age of the acceptance is then unknown. */
  usedAtMs: number
  endsAtMs: number
}

/**
 * Longer headers are verified each time. Our longest token is under 1 kB, but a header may have any number of spaces.
 */
const maxTextLength = 2048

/**
 * The access tokens that this isolate verified and did not find on the revocation list within the last five seconds. A
 * gateway asks about each request of a page, and these answers need neither a signature nor KV.
 *
 * Only acceptance is kept, never a refusal. The key is the text of the `Authorization` header. One JWT has several
 * spellings: each is verified for itself before it is kept, and all of a session are forgotten together.
 */
export class AcceptedTokens {
  readonly #accepted = new Map<string, Accepted>()
  /**
   * How often `forget` was called. What was looked up before a call must not be kept after it: the session may have
   * ended.
   */
  forgotten = 0

  recall(text: string, settings: TokenSettings, nowMs: number): Claims<'at+jwt'> | undefined {
    const accepted = this.#accepted.get(text)
    if (!accepted) return undefined
    if (accepted.settings !== settings || nowMs < accepted.usedAtMs || nowMs >= accepted.endsAtMs) {
      this.#accepted.delete(text)
      return undefined
    }
    accepted.usedAtMs = nowMs
    return accepted.claims
  }

  /** @param nowMs the time before the signature and the list were checked */
  keep(text: string, settings: TokenSettings, claims: Claims<'at+jwt'>, expiresAt: Date, nowMs: number): void {
    if (text.length > maxTextLength) return
    this.#accepted.delete(text)
    // A Map has the order of insertion, so the first is the oldest.
    const [oldest] = this.#accepted.keys()
    if (oldest !== undefined && this.#accepted.size >= maxRememberedTokens) this.#accepted.delete(oldest)
    const endsAtMs = Math.min(nowMs + rememberedMs, expiresAt.getTime())
    this.#accepted.set(text, { claims, settings, usedAtMs: nowMs, endsAtMs })
  }

  /** Forgets every token of a session. */
  forget(sessionId: string): void {
    this.forgotten++
    for (const [text, { claims }] of this.#accepted) if (claims.sid === sessionId) this.#accepted.delete(text)
  }
}

const byList = new WeakMap<KVNamespace, AcceptedTokens>()

/** What is remembered of a revocation list. */
export function acceptedTokensOf(list: KVNamespace): AcceptedTokens {
  let accepted = byList.get(list)
  if (!accepted) byList.set(list, (accepted = new AcceptedTokens()))
  return accepted
}
