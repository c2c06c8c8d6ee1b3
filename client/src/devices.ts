/**
 * The tokens by which the service recognizes this device, one for each account that signed in here: one account's token
 * is useless to another and must not replace its token. A token names its owner by a hash, so no address is in the
 * storage.
 */
import { keepItem } from './item.ts'
import { type ClientStorage, sha256 } from './platform.ts'

/** How many accounts keep a token here: those that signed in last. For any other the device is unknown again. */
const maxTokens = 8

export function keepDevices(storage: ClientStorage, key: string) {
  const item = keepItem(storage, key)

  /** Newest first. Anything malformed is left out; the single token of earlier versions is a list of one. */
  async function read(): Promise<string[]> {
    const text = (await item.read()) ?? ''
    return text.split(' ').filter((token) => ownerOf(token) !== undefined)
  }

  async function deviceToken(email: string): Promise<string | undefined> {
    const address = normalize(email)
    if (address === undefined) return undefined
    const tokens = await read()
    const owner = await sha256(address)
    // Where nothing can be hashed, the newest token may be the right one; a wrong one does no harm.
    return owner === undefined ? tokens[0] : tokens.find((token) => ownerOf(token) === owner)
  }

  async function keepDeviceToken(token: unknown): Promise<void> {
    if (typeof token !== 'string' || ownerOf(token) === undefined) return
    const others = (await read()).filter((other) => ownerOf(other) !== ownerOf(token))
    await item.write([token, ...others].slice(0, maxTokens).join(' '))
  }

  return { deviceToken, keepDeviceToken }
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
