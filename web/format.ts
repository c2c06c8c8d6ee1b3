/** Times, places and devices as people say them. */
import { language, texts } from './texts/language.ts'

const steps: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

/** "3 hours ago"; what is older than a month has its date. */
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

export function country(code: string | null): string {
  // `T1` is Tor and `XX` nowhere: ISO 3166 knows neither.
  if (code === null || !/^[A-Z]{2}$/.test(code)) return texts.session.somewhere
  return new Intl.DisplayNames(language, { type: 'region', fallback: 'none' }).of(code) ?? texts.session.somewhere
}

const programs: [pattern: RegExp, name: string][] = [
  [/Edg\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/Firefox\/|FxiOS\//, 'Firefox'],
  [/Chrome\/|CriOS\//, 'Chrome'],
  [/Safari\//, 'Safari'],
  [/^curl\//, 'curl'],
]
const systems: [pattern: RegExp, name: string][] = [
  [/iPhone/, 'iPhone'],
  [/iPad/, 'iPad'],
  [/Android/, 'Android'],
  [/Windows/, 'Windows'],
  [/Mac OS X|Macintosh/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
]

/** What a program says it is: what most of them say can be told in two words, the rest is shown as it is. */
export function device(userAgent: string | null): string {
  if (userAgent === null || userAgent === '') return texts.session.unknownDevice
  const find = (list: typeof programs) => list.find(([pattern]) => pattern.test(userAgent))?.[1]
  const [program, system] = [find(programs), find(systems)]
  if (program && system) return texts.session.device(program, system)
  return program ?? system ?? userAgent.slice(0, 60)
}
