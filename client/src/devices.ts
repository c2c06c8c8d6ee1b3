/**
 * The tokens by which the service knows this device again, one for each account that signed in here: B's is of no use to
 * A, and must not take the place of A's. Whose a token is it says itself, by a hash, so no address stands in the storage.
 */
import { type ClientStorage, sha256 } from './platform.ts'

/** So many accounts have a token here, those that signed in last. To anybody else this device is a stranger again. */
const maxTokens = 8

export function keepDevices(storage: ClientStorage, key: string) {
  /** Newest first. The one token of earlier versions is a list, too; what is no token is left out. */
  async function read(): Promise<string[]> {
    const text = (await storage.getItem(key)) ?? ''
    return text.split(' ').filter((token) => ownerOf(token) !== undefined)
  }

  async function deviceToken(email: string): Promise<string | undefined> {
    const address = normalize(email)
    if (address === undefined) return undefined
    const tokens = await read()
    const owner = await sha256(address)
    // Where nothing can be hashed the newest one may be the right one, and does no harm where it is not.
    return owner === undefined ? tokens[0] : tokens.find((token) => ownerOf(token) === owner)
  }

  async function keepDeviceToken(token: string): Promise<void> {
    const others = (await read()).filter((other) => ownerOf(other) !== ownerOf(token))
    await storage.setItem(key, [token, ...others].slice(0, maxTokens).join(' '))
  }

  return { deviceToken, keepDeviceToken }
}

/** The hash of the address that a token is for, byte by byte; `undefined` for what is no token. */
function ownerOf(token: string): string | undefined {
  try {
    const { email_sha256: hash } = JSON.parse(decode(token.split('.')[1]!)) as { email_sha256: string }
    return decode(hash)
  } catch {
    return undefined
  }
}

function decode(base64url: string): string {
  return atob(base64url.replaceAll('-', '+').replaceAll('_', '/'))
}

/** The one spelling that the service hashes: trimmed, lower case, the domain in punycode. What is none it will refuse. */
function normalize(email: string): string | undefined {
  try {
    const trimmed = email.trim()
    const at = trimmed.lastIndexOf('@')
    return `${trimmed.slice(0, at).toLowerCase()}@${new URL(`http://${trimmed.slice(at + 1)}`).hostname}`
  } catch {
    return undefined
  }
}
