import type { Fact } from './letter.ts'
import { readUserAgent } from './user-agent.ts'

/** Where a request came from, as reported by the network and the client. */
export interface Whereabouts {
  ip: string | null
  country: string | null
  userAgent: string | null
}

interface Words {
  device: { label: string; unknown: string; name: (browser: string, system: string) => string }
  network: string
}

/** The lines that tell an owner whether it was them. What is not known is left out. */
export function whereaboutsFacts({ ip, country, userAgent }: Whereabouts, words: Words): Fact[] {
  const facts: Fact[] = []
  const device = userAgent === null ? undefined : deviceName(userAgent, words.device)
  if (device !== undefined) facts.push([words.device.label, device])
  const network = networkName(ip, country)
  if (network !== undefined) facts.push([words.network, network])
  return facts
}

/**
 * Only ever our own words. Anybody can ask for a reset of anybody's password with the user agent "Your account was hacked, go
 * to evil.example": if we quoted it, it would arrive in the owner's inbox under our name.
 */
function deviceName(userAgent: string, words: Words['device']): string {
  const { browser, system } = readUserAgent(userAgent)
  if (browser && system) return words.name(browser, system)
  return browser ?? system ?? words.unknown
}

function networkName(ip: string | null, country: string | null): string | undefined {
  const address = ip !== null && /^[\da-f.:]{2,45}$/i.test(ip) ? ip : undefined
  const place = country === null ? undefined : placeName(country)
  return address && place ? `${address} (${place})` : (address ?? place)
}

/** The name of Cloudflare's country code: ISO 3166-1 alpha-2, `T1` for Tor or `XX` for unknown. */
function placeName(country: string): string | undefined {
  if (country === 'T1') return 'Tor'
  return /^[A-Z]{2}$/.test(country) && country !== 'XX' ? country : undefined
}
