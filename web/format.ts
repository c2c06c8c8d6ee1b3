/** Formats times, places and devices for the visitor. */
import { readUserAgent } from '../emails/user-agent.ts'
import { language, texts } from './texts/language.ts'

const steps: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

/** "3 hours ago", or the date when it is more than 30 days away. */
export function ago(time: string, now = Date.now()): string {
  const seconds = Math.round((Date.parse(time) - now) / 1000)
  if (Math.abs(seconds) > 30 * 86_400) return date(time)
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' })
  const [unit, size] = steps.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1]
  return format.format(Math.round(seconds / size), unit)
}

export function date(time: string): string {
  return new Date(time).toLocaleDateString(language, { dateStyle: 'medium' })
}

export function moment(time: string): string {
  return new Date(time).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'medium' })
}

/** The name of a language by its tag; the tag itself when nobody knows it. */
export function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames(language, { type: 'language' }).of(tag) ?? tag
  } catch {
    return tag
  }
}

export function country(code: string | null): string {
  // Cloudflare says `T1` for Tor and `XX` for unknown; neither is a country of ISO 3166.
  if (code === null || !/^[A-Z]{2}$/.test(code)) return texts.session.somewhere
  return new Intl.DisplayNames(language, { type: 'region', fallback: 'none' }).of(code) ?? texts.session.somewhere
}

/** Long enough to recognize a program, short enough for a line. */
const maxNameLength = 60

/** What the service answers for a user agent that is not in its table. */
const unlisted = 'other'

/** "Firefox on Linux"; a program that the table does not know is shown by its own words. */
export function device(userAgent: string | null): string {
  if (userAgent === null || userAgent === '' || userAgent === unlisted) return texts.session.unknownDevice
  const { browser, system } = readUserAgent(userAgent)
  if (browser && system) return texts.session.device(browser, system)
  return browser ?? system ?? userAgent.slice(0, maxNameLength)
}
