/** RFC 5321 §4.5.3.1, in octets. */
const maxLocalLength = 64
const maxLength = 254

/** RFC 5322 dot-atom, ASCII. No quoted local parts: they carry commas and spaces into mail headers. */
const localPattern = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
/** Characters that a URL parser would not take for a part of the host name. */
const notInDomain = /[\s%/?#@:[\]\\<>^|`{}"'(),;!$&*+=~_]/
const domainPattern = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/

/**
 * The one spelling in which an address is stored and compared: trimmed, lower case, the domain in punycode. `undefined` for
 * anything but a single address, so that an email header can never get a second recipient.
 */
export function normalizeEmailAddress(input: string): string | undefined {
  const trimmed = input.trim()
  const at = trimmed.lastIndexOf('@')
  const local = trimmed.slice(0, Math.max(at, 0))
  const domain = asciiDomain(trimmed.slice(at + 1))
  // Before lower-casing, which would turn the Kelvin sign into an ASCII `k`.
  if (!localPattern.test(local) || local.length > maxLocalLength || domain === undefined) return undefined
  const address = `${local.toLowerCase()}@${domain}`
  return address.length <= maxLength ? address : undefined
}

function asciiDomain(domain: string): string | undefined {
  if (domain === '' || domain.length > maxLength || notInDomain.test(domain)) return undefined
  const url = URL.parse(`http://${domain}`)
  return url && domainPattern.test(url.hostname) ? url.hostname : undefined
}
