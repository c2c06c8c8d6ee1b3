/**
 * The tokens by which the service recognizes this device, one for each account that signed in here: one account's token
 * is useless to another and must not replace its token. A token names its owner by a hash, so no address is in the
 * storage.
 */
import { keepItem } from './item.ts'
import { type ClientStorage, sha256, tryTo } from './platform.ts'

/** How many accounts keep a token here: those that signed in last. For any other the device is unknown again. */
const maxTokens = 8

/**
 * The token of a trusted device saves its owner the second factor. It names no address, so the hash of the address stands
 * before it.
 */
export function keepDevices(storage: ClientStorage, url: string) {
  const known = keepByOwner(storage, `postern:${url}:device`, ownerOf)
  const trusted = keepByOwner(storage, `postern:${url}:trust`, (entry) =>
    entry.includes('~') ? tryTo(() => decode(entry.split('~')[0]!)) : undefined,
  )
  return {
    deviceToken: known.find,
    trustToken: async (email: string) => (await trusted.find(email))?.split('~')[1],

    /** Keeps what the answer to a sign-in has. */
    keepDevice: async (answer: object, email: string): Promise<void> => {
      const { device_token: device, trust_token: trust } = answer as Record<string, unknown>
      if (typeof device === 'string') await known.keep(device)
      const hash = normalize(email) ?? ''
      if (isToken(trust)) await trusted.keep(`${encode((await sha256(hash)) ?? '')}~${trust}`)
    },
  }
}

/** One entry for each owner, newest first. What is malformed, and so without an owner, is left out. */
function keepByOwner(storage: ClientStorage, key: string, ownerOf: (entry: string) => string | undefined) {
  const item = keepItem(storage, key)

  async function read(): Promise<string[]> {
    const text = (await item.read()) ?? ''
    return text.split(' ').filter((entry) => entry && ownerOf(entry) !== undefined)
  }

  async function find(email: string): Promise<string | undefined> {
    const address = normalize(email)
    if (address === undefined) return undefined
    const entries = await read()
    const owner = await sha256(address)
    // Where nothing can be hashed, the newest entry may be the right one; a wrong one does no harm.
    return owner === undefined ? entries[0] : entries.find((entry) => ownerOf(entry) === owner)
  }

  async function keep(entry: string): Promise<void> {
    if (ownerOf(entry) === undefined) return
    const others = (await read()).filter((other) => ownerOf(other) !== ownerOf(entry))
    await item.write([entry, ...others].slice(0, maxTokens).join(' '))
  }

  return { find, keep }
}

/** Whatever else a token is, it has to fit into a header. */
export function isToken(token: unknown): token is string {
  return typeof token === 'string' && /^[\w.~+/-]+=*$/.test(token)
}

/** The hash of the address that a token is for, one character per byte; `undefined` when it is malformed. */
function ownerOf(token: string): string | undefined {
  try {
    const { email_sha256: hash } = JSON.parse(decode(token.split('.')[1]!)) as { email_sha256: string }
    return decode(hash)
  } catch {
    return undefined
  }
}

export function decode(base64url: string): string {
  return atob(base64url.replaceAll('-', '+').replaceAll('_', '/'))
}

/** @param bytes one character per byte */
export function encode(bytes: string): string {
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** The spelling that the service hashes: trimmed, lower case, the domain in Punycode. `undefined` when it is no address. */
function normalize(email: string): string | undefined {
  try {
    const trimmed = email.trim()
    const at = trimmed.lastIndexOf('@')
    return `${trimmed.slice(0, at).toLowerCase()}@${new URL(`http://${trimmed.slice(at + 1)}`).hostname}`
  } catch {
    return undefined
  }
}
