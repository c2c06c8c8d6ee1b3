import { net64, readIpAddress } from '../ip-address.ts'

/** Everything that is not an address shares one key, so that garbage does not evade a limit. */
const unreadable = 'unreadable'

/**
 * The key that a client is counted under, however its address is spelled. IPv4 as it is. IPv6 by its /64, because its
 * holder could use a new address for each request. An IPv4-mapped address counts as its IPv4 address.
 */
export function clientKey(text: string): string {
  const address = readIpAddress(text)
  if (!address) return unreadable
  return address.version === 4 ? address.parts.join('.') : net64(address.parts)
}
