import type { Fact } from './letter.ts'

/** Where a request came from, as the network and the client said. */
export interface Whereabouts {
  ip: string | null
  country: string | null
  userAgent: string | null
}

/** In this order: most browsers also name the ones further down. */
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

/** A browser's whole name fits well within this. More is not read, so that no header can cost time. */
const readLength = 512

/** The lines that tell an owner whether it was them. What is not known is left out. */
export function whereaboutsFacts({ ip, country, userAgent }: Whereabouts): Fact[] {
  const facts: Fact[] = []
  const device = userAgent === null ? undefined : deviceName(userAgent.slice(0, readLength))
  if (device !== undefined) facts.push(['Device', device])
  const network = networkName(ip, country)
  if (network !== undefined) facts.push(['Network', network])
  return facts
}

/**
 * Only ever words of ours. Anyone may ask for a reset of anyone's password, with "Your account was hacked, go to evil.example"
 * as the user agent: quoted, that would arrive in the owner's inbox over our name.
 */
function deviceName(userAgent: string): string | undefined {
  const browser = browsers.find(([, pattern]) => pattern.test(userAgent))?.[0]
  const system = systems.find(([, pattern]) => pattern.test(userAgent))?.[0]
  if (browser && system) return `${browser} on ${system}`
  return browser ?? system ?? 'An app we do not know'
}

function networkName(ip: string | null, country: string | null): string | undefined {
  const address = ip !== null && /^[\da-f.:]{2,45}$/i.test(ip) ? ip : undefined
  const place = country === null ? undefined : placeName(country)
  return address && place ? `${address} (${place})` : (address ?? place)
}

/** Cloudflare's two letters: ISO 3166-1, or T1 for Tor and XX for unknown. */
function placeName(country: string): string | undefined {
  if (country === 'T1') return 'Tor'
  return /^[A-Z]{2}$/.test(country) && country !== 'XX' ? country : undefined
}
