/**
 * The range query of Pwned Passwords, for the breach check. The service is asked for every SHA-1 that starts with five
 * given hex digits, a millionth of all SHA-1s, and never learns which password was meant.
 */
import { OutgoingError, send } from './outgoing.ts'

/** A registration waits for the answer. A padded range has about 1,000 lines of 40 bytes. */
const limits = { timeoutMs: 1000, maxBytes: 256 * 1024 }

const prefixDigits = 5
const linePattern = /^[0-9A-F]{35}:\d+$/

/** The URL of the range of a digest. Nothing but these five digits of a password's digest leaves the service. */
export function rangeUrl(serviceUrl: string, sha1: string): string {
  return `${serviceUrl}/range/${sha1.slice(0, prefixDigits)}`
}

/**
 * Asks for a range: lines of `SUFFIX:COUNT`.
 *
 * @throws {OutgoingError} `status_…`, `unreadable`, `empty` for any other answer; what `send` throws
 */
export async function fetchRange(serviceUrl: string, url: string): Promise<string> {
  // Padding brings all answers to about the same length, so that their size does not tell an observer the range.
  const headers = { 'Add-Padding': 'true', 'User-Agent': 'Postern' }
  const { status, text } = await send(serviceUrl, url, { headers }, limits)
  if (status !== 200) throw new OutgoingError(`status_${status}`)
  const range = text.toUpperCase()
  const lines = linesOf(range)
  if (!lines.every((line) => linePattern.test(line))) throw new OutgoingError('unreadable')
  // Every real range has entries, and padding adds more.
  if (lines.length === 0) throw new OutgoingError('empty')
  return range
}

/** Whether a digest is in its range. A line with a count of 0 is padding and stands for no password. */
export function isInRange(range: string, sha1: string): boolean {
  const start = `${sha1.slice(prefixDigits)}:`
  return linesOf(range).some((line) => line.startsWith(start) && Number(line.slice(start.length)) > 0)
}

function linesOf(range: string): string[] {
  return range.split(/\r?\n/).filter((line) => line !== '')
}
