/** RFC 5321 §4.5.3.1, in octets. */
const maxLocalLength = 64
const maxLength = 254

/** RFC 5322 dot-atom, ASCII. No quoted local parts: they carry commas and spaces into mail headers. */
const localPattern = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
/** What a URL parser would take for something other than part of a host name. */
const notInDomain = /[\s%/?#@:[\]\\<>^|`{}"'(),;!$&*+=~_]/
const domainPattern = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/

/**
 * The one spelling under which an address is kept and compared: trimmed, lower case, the domain in punycode.
 * `undefined` for what is no single address of that kind, so that a header can never get a second recipient.
 */
export function normalizeEmailAddress(input: string): string | undefined {
  const trimmed = input.trim()
  const at = trimmed.lastIndexOf('@')
  const local = trimmed.slice(0, Math.max(at, 0))
  const domain = asciiDomain(trimmed.slice(at + 1))
  // Before it is lower-cased, which would make an ASCII `k` of the Kelvin sign.
  if (!localPattern.test(local) || local.length > maxLocalLength || domain === undefined) return undefined
  const address = `${local.toLowerCase()}@${domain}`
  return address.length <= maxLength ? address : undefined
}

function asciiDomain(domain: string): string | undefined {
  if (domain === '' || domain.length > maxLength || notInDomain.test(domain)) return undefined
  const url = URL.parse(`http://${domain}`)
  return url && domainPattern.test(url.hostname) ? url.hostname : undefined
}
