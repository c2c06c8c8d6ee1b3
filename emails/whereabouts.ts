import type { Fact } from './letter.ts'

/** Where a request came from, as reported by the network and the client. */
export interface Whereabouts {
  ip: string | null
  country: string | null
  userAgent: string | null
}

/** The order matters: most browsers also name some of those further down. */
const browsers = [
  ['Edge', /\bEdg(?:e|A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(?:Firefox|FxiOS)\//],
  ['Chrome', /(?:Chrome|CriOS)\//],
  ['Safari', /\bVersion\/.*\bSafari\//],
] as const

const systems = [
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Android', /\bAndroid\b/],
  ['Windows', /\bWindows\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Mac', /\bMacintosh\b/],
  ['Linux', /\bLinux\b/],
] as const

/** Every real browser is recognized within this length. No more is read, so that no header can cost time. */
const readLength = 512

interface Words {
  device: { label: string; unknown: string; name: (browser: string, system: string) => string }
  network: string
}

/** The lines by which owners can tell whether it was them. What is not known is left out. */
export function whereaboutsFacts({ ip, country, userAgent }: Whereabouts, words: Words): Fact[] {
  const facts: Fact[] = []
  const device = userAgent === null ? undefined : deviceName(userAgent.slice(0, readLength), words.device)
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
  const browser = browsers.find(([, pattern]) => pattern.test(userAgent))?.[0]
  const system = systems.find(([, pattern]) => pattern.test(userAgent))?.[0]
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
