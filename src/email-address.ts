import { decodePunycode } from './punycode.ts'

/** RFC 5321 §4.5.3.1, in octets. */
const maxLocalLength = 64
const maxLength = 254

/** RFC 5322 dot-atom, ASCII. No quoted local parts: they carry commas and spaces into mail headers. */
const localPattern = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
/** Characters that a URL parser would not take for a part of the host name. */
const notInDomain = /[\s%/?#@:[\]\\<>^|`{}"'(),;!$&*+=~_]/
/** RFC 5892: what a label of IDNA2008 is made of. URL parsers (UTS 46) also take symbols, such as emoji. */
const labelPattern = /^[\u200c\u200d\p{L}\p{Nd}\p{Mn}\p{Mc}\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u3007\u30fb-]+$/u
const domainPattern = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])$/

/**
 * The one spelling in which an address is stored and compared: trimmed, lower case, the domain in punycode. `undefined`
 * for anything but a single address, so that an email header can never get a second recipient.
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

/** The domain as it is in DNS, if it may be one: by the URL parser (UTS 46), and by IDNA2008 where that is stricter. */
function asciiDomain(domain: string): string | undefined {
  if (domain === '' || domain.length > maxLength || notInDomain.test(domain)) return undefined
  const ascii = hostOf(domain)
  return ascii !== undefined && domainPattern.test(ascii) && ascii.split('.').every(isLabel) ? ascii : undefined
}

/**
 * Hyphens at the third and fourth place are reserved for `xn--` (RFC 5890 §2.3.1). Such a label has to decode to a
 * label with other characters than ASCII that encodes to the same again (RFC 5891 §5.4), and has no symbols; URL
 * parsers do not check this.
 */
function isLabel(label: string): boolean {
  if (label.slice(2, 4) !== '--') return true
  const decoded = label.startsWith('xn--') ? decodePunycode(label.slice(4)) : undefined
  if (decoded === undefined || !labelPattern.test(decoded)) return false
  if (!/\P{ASCII}/u.test(decoded) || /^-|-$|^..--/u.test(decoded)) return false
  return hostOf(`${decoded}.example`) === `${label}.example`
}

function hostOf(domain: string): string | undefined {
  return URL.parse(`http://${domain}`)?.hostname
}
