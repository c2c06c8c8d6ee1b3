/** What the text of a variable means. `undefined` is always: not what it should be. */
import { normalizeEmailAddress } from '../email-address.ts'

/**
 * A variable as text. wrangler.toml has numbers, booleans and lists too, and hands them over as such: `= true` without
 * quotes is no reason to fail in any other way than by the rule for that variable.
 */
export function variableText(value: unknown): string {
  if (Array.isArray(value)) return value.map(variableText).join()
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value.trim() : JSON.stringify(value)
}

/** An origin with TLS, which only development may do without; `undefined` for anything with more or less to it. */
export function origin(text: string, isDevelopment: boolean): string | undefined {
  const url = URL.parse(text)
  if (!url || url.username || url.password || url.search || url.hash || url.pathname !== '/') return undefined
  // A URL may have it in its host, and nobody who writes it means that.
  if (url.host.includes('*')) return undefined
  return url.protocol === 'https:' || (isDevelopment && url.protocol === 'http:') ? url.origin : undefined
}

/** The same rule for an address with a path. */
export function secureUrl(text: string, isDevelopment: boolean): string | undefined {
  const url = URL.parse(text)
  return url && origin(url.origin, isDevelopment) && !url.username && !url.password ? url.href : undefined
}

/** A list of origins, each of them whole: no `*`, no `null`, no pattern. */
export function origins(text: string, isDevelopment: boolean): string[] | undefined {
  const list = text ? text.split(',').map((entry) => origin(entry.trim(), isDevelopment)) : []
  return list.every((entry) => entry !== undefined) ? list : undefined
}

/** Off when nothing is said. */
export function flag(text: string): boolean | undefined {
  const value = text || 'false'
  return value === 'true' || value === 'false' ? value === 'true' : undefined
}

/** `address`, or `Name <address>`. */
export function isMailbox(text: string): boolean {
  const address = /^[^<>"\r\n]*<([^<>]+)>$/.exec(text)?.[1] ?? text
  return normalizeEmailAddress(address) !== undefined
}

/** 8 when nothing is said, and never less (NIST SP 800-63B-4 §3.1.1.2). */
export function minLength(text: string): number | undefined {
  const length = text ? Number(text) : 8
  return Number.isInteger(length) && length >= 8 && length <= 64 ? length : undefined
}

/** On unless said otherwise, and said otherwise nowhere but in development. */
export function onOrOff(text: string, isDevelopment: boolean): boolean | undefined {
  const word = text || 'on'
  if (word === 'on') return true
  return word === 'off' && isDevelopment ? false : undefined
}
