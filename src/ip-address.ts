/** Textual IP addresses and the networks that they belong to: pure, for rate limits and sessions alike. */

/** An IPv4 address has four decimal numbers, an IPv6 address eight groups in lower-case hex without leading zeros. */
export interface IpAddress {
  version: 4 | 6
  parts: string[]
}

/**
 * Reads an address in any spelling. An IPv4-mapped one is its IPv4 address (RFC 4291 §2.5.5.2).
 *
 * @returns `undefined` for any other text
 */
export function readIpAddress(text: string): IpAddress | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return { version: 4, parts: text.split('.') }
  // The URL parser accepts every spelling of RFC 4291 §2.2 and gives the one of RFC 5952.
  const host = URL.parse(`http://[${text}]/`)?.hostname
  if (!host) return undefined
  const [head = '', tail] = host.slice(1, -1).split('::')
  const before = groupsOf(head)
  const after = groupsOf(tail ?? '')
  const parts = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
  const isMapped = parts.slice(0, 5).every((group) => group === '0') && parts[5] === 'ffff'
  return isMapped ? { version: 4, parts: numbersOf(parts.slice(6)).map(String) } : { version: 6, parts }
}

/** The /64 of an IPv6 address: one household or server gets that many addresses (RFC 6177, RFC 4941). */
export function net64(groups: readonly string[]): string {
  return `${groups.slice(0, 4).join(':')}::/64`
}

/** The 4 or 16 bytes of an address, as the database keeps it; null for other text. */
export function bytesOfIp(text: string | null): Uint8Array<ArrayBuffer> | null {
  const address = text === null ? undefined : readIpAddress(text)
  if (!address) return null
  const { version, parts } = address
  const numbers = version === 4 ? parts.map(Number) : numbersOf(parts)
  return numbers.every((number) => number < 256) ? Uint8Array.from(numbers) : null
}

/** The address of 4 or 16 bytes, an IPv6 one as RFC 5952 spells it. */
export function ipOfBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, place) =>
    ((bytes[2 * place]! << 8) | bytes[2 * place + 1]!).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}

/** The network of an address in bytes: the /24 of an IPv4 address, the /64 of an IPv6 address. */
export function networkBytes(ip: Uint8Array<ArrayBuffer> | null): Uint8Array<ArrayBuffer> | null {
  return ip && ip.slice(0, ip.length === 4 ? 3 : 8)
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':')
}

function numbersOf(groups: readonly string[]): number[] {
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255])
}
