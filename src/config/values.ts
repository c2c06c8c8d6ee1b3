/** Parsers for variables. Each returns `undefined` for a value that breaks its rule. */
import { normalizeEmailAddress } from '../email-address.ts'

/**
 * A variable as text. Values in wrangler.toml can be numbers, booleans and lists, too: an unquoted `true` is read as
 * the text "true" and then checked by the variable's own rule.
 */
export function variableText(value: unknown): string {
  if (Array.isArray(value)) return value.map(variableText).join()
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value.trim() : JSON.stringify(value)
}

/** A reader for a variable that may be empty. */
export function orNull<T>(read: (text: string) => T) {
  return (text: string) => (text ? read(text) : null)
}

/** An https origin, or http in development. An origin has no path, query, fragment or credentials. */
export function origin(text: string, isDevelopment: boolean): string | undefined {
  const url = URL.parse(text)
  if (!url || url.username || url.password || url.search || url.hash || url.pathname !== '/') return undefined
  // URLs allow `*` in a host, but here it is meant as a pattern, which is not supported.
  if (url.host.includes('*')) return undefined
  return url.protocol === 'https:' || (isDevelopment && url.protocol === 'http:') ? url.origin : undefined
}

const localNames = ['localhost', '127.0.0.1']

/** The origins of our own pages. A developer's machine has two names, and people type either. */
export function ownOrigins(publicUrl: string, isDevelopment: boolean): string[] {
  const url = new URL(publicUrl)
  if (!isDevelopment || !localNames.includes(url.hostname)) return [publicUrl]
  const others = localNames.filter((name) => name !== url.hostname)
  return [publicUrl, ...others.map((name) => Object.assign(new URL(publicUrl), { hostname: name }).origin)]
}

/** The same rule for a URL with a path. */
export function secureUrl(text: string, isDevelopment: boolean): string | undefined {
  const url = URL.parse(text)
  return url && origin(url.origin, isDevelopment) && !url.username && !url.password ? url.href : undefined
}

/** A list of whole origins: no `*`, no `null`, no pattern. */
export function origins(text: string, isDevelopment: boolean): string[] | undefined {
  const list = text ? text.split(',').map((entry) => origin(entry.trim(), isDevelopment)) : []
  return list.every((entry) => entry !== undefined) ? list : undefined
}

/** The public key of a Turnstile widget. It goes into the pages. */
export function siteKey(text: string): string | undefined {
  return /^[\w.-]{1,100}$/.test(text) ? text : undefined
}

/** False unless it is set. */
export function flag(text: string): boolean | undefined {
  const value = text || 'false'
  return value === 'true' || value === 'false' ? value === 'true' : undefined
}

/** `address`, or `Name <address>`. */
export function mailbox(text: string): string | undefined {
  const address = /^[^<>"\r\n]*<([^<>]+)>$/.exec(text)?.[1] ?? text
  return normalizeEmailAddress(address) && text
}

/** An e-mail address or an https URL, as the URL that a link leads to. */
export function supportUrl(text: string): string | undefined {
  const address = normalizeEmailAddress(text)
  return address ? `mailto:${address}` : secureUrl(text, false)
}

/** 8 unless it is set, and never less (NIST SP 800-63B-4 §3.1.1.2). */
export function minLength(text: string): number | undefined {
  return wholeNumber(text, 8, 64)
}

/** 1 unless it is set. */
export function ceilingFactor(text: string): number | undefined {
  return wholeNumber(text, 1, 1000)
}

/** The least unless it is set. */
function wholeNumber(text: string, least: number, most: number): number | undefined {
  const number = text ? Number(text) : least
  return Number.isInteger(number) && number >= least && number <= most ? number : undefined
}

/**
 * A reader for days, from 30 to 3650. A restore goes back up to 30 days and brings back the events that were archived
 * since. So no event may be archived before it is 30 days old (see `archiveNext`).
 */
export function daysOr(unset: number) {
  return (text: string): number | undefined => wholeNumber(text || String(unset), 30, 3650)
}

export const daysRule = 'must be a whole number from 30 to 3650, or empty'

/** On unless it is set to off, which only development may do. */
export function onOrOff(text: string, isDevelopment: boolean): boolean | undefined {
  const word = text || 'on'
  if (word === 'on') return true
  return word === 'off' && isDevelopment ? false : undefined
}

/** Whose accounts must have a second factor: nobody's, those of MODERATOR and ADMIN, or everybody's. */
export type SecondFactorRule = 'optional' | 'staff' | 'all'

export function secondFactorRule(text: string): SecondFactorRule | undefined {
  return text === 'optional' || text === 'staff' || text === 'all' ? text : undefined
}

export const rpIdRule =
  'must be the host of PUBLIC_URL or a parent domain of it with a dot, because browsers refuse others'

/**
 * Whether browsers let the pages of an origin use passkeys of this RP ID (WebAuthn §5.1.3): its host or a parent
 * domain. They also refuse public suffixes with a dot, such as `co.uk`, which nothing here knows. Values that break
 * their own rules, and no RP ID, are not judged.
 */
export function mayBeRpIdOf(publicUrl: string, rpId: string | null): boolean {
  if (typeof rpId !== 'string' || !URL.canParse(publicUrl)) return true
  const own = new URL(publicUrl).hostname
  return own === rpId || (rpId.includes('.') && own.endsWith(`.${rpId}`))
}

/** A host name as URLs spell it, without a port. */
export function host(text: string): string | undefined {
  return URL.parse(`https://${text}`)?.hostname === text ? text : undefined
}
