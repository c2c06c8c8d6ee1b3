/** Everything that is not an address shares one key, so that garbage does not evade a limit. */
const unreadable = 'unreadable'

/**
 * The key that a client is counted under, however its address is spelled. IPv4 as it is. IPv6 by its /64, because one
 * household or server gets that many and could use a new address for each request (RFC 6177, RFC 4941). An IPv4-mapped
 * address counts as its IPv4 address (RFC 4291 §2.5.5.2).
 */
export function clientKey(address: string): string {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return address
  // The URL parser accepts every spelling of RFC 4291 §2.2 and gives the one of RFC 5952.
  const host = URL.parse(`http://[${address}]/`)?.hostname
  if (!host) return unreadable
  const [head = '', tail] = host.slice(1, -1).split('::')
  const before = groupsOf(head)
  const after = groupsOf(tail ?? '')
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
  const isMapped = groups.slice(0, 5).every((group) => group === '0') && groups[5] === 'ffff'
  return isMapped ? dotted(groups.slice(6)) : `${groups.slice(0, 4).join(':')}::/64`
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':')
}

function dotted(groups: readonly string[]): string {
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]).join('.')
}
