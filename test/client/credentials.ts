/** The browser's side of WebAuthn: what a page can ask, and what a person answers. */
import { vi } from 'vitest'

interface Asked {
  kind: 'get' | 'create'
  options: {
    publicKey: Record<string, unknown>
    mediation?: string
    signal: AbortSignal
  }
}

export const buffer = (...bytes: number[]) => new Uint8Array(bytes).buffer

/** A credential as browsers return it that cannot write it as JSON. */
export function oldCredential(response: Record<string, unknown> = {}) {
  return {
    id: '-_8',
    rawId: buffer(0xfb, 0xff),
    type: 'public-key',
    authenticatorAttachment: 'platform',
    response: { clientDataJSON: buffer(1), authenticatorData: buffer(2), signature: buffer(3), ...response },
    getClientExtensionResults: () => ({}),
  }
}

/** Of a browser that writes JSON itself. */
export const newCredential = { ...oldCredential(), toJSON: () => ({ id: 'as JSON' }) }

/**
 * Puts WebAuthn into this runtime.
 *
 * @param api what `PublicKeyCredential` has
 */
export function giveCredentials(api: object = {}) {
  const asked: Asked[] = []
  /** What happens to the next ceremonies; after the last of them, each waits until it is aborted. */
  const answers: (() => unknown)[] = []
  const ask = (kind: Asked['kind']) => (options: Asked['options']) => {
    asked.push({ kind, options })
    const answer = answers.shift()
    if (answer) return Promise.resolve().then(answer)
    return new Promise((_, reject) => {
      options.signal.addEventListener('abort', () => reject(new DOMException('x', 'AbortError')))
    })
  }
  vi.stubGlobal('PublicKeyCredential', api)
  vi.stubGlobal('navigator', { credentials: { get: ask('get'), create: ask('create') } })
  return { asked, answers }
}

export function failing(name: string): () => never {
  return () => {
    throw new DOMException('x', name)
  }
}
