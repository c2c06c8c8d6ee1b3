/**
 * The way out of the house for the breach check: the range query of Pwned Passwords. It is asked for every SHA-1 that
 * begins with five given hex digits, a millionth of all there are, and never learns which password was meant.
 */

/** Somebody waits for the answer to a registration meanwhile. */
const timeoutMs = 1000

const prefixDigits = 5
const linePattern = /^[0-9A-F]{35}:\d+$/

/** The service answered with something that is no range. */
export class RangeAnswerError extends Error {
  override name = 'RangeAnswerError'
  /** For the log. */
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** Where the range of a digest is asked for. These five digits are all that ever leaves of a password. */
export function rangeUrl(serviceUrl: string, sha1: string): string {
  return `${serviceUrl}/range/${sha1.slice(0, prefixDigits)}`
}

/**
 * Asks for a range: lines of `SUFFIX:COUNT`.
 *
 * @throws {RangeAnswerError} for any other answer; whatever `fetch` throws when there is none within a second
 */
export async function fetchRange(url: string): Promise<string> {
  const response = await fetch(url, {
    // Answers are filled up to much the same length, so that somebody who sees only the size cannot tell the range.
    headers: { 'Add-Padding': 'true', 'User-Agent': 'Postern' },
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (response.status !== 200) throw new RangeAnswerError(`status_${response.status}`)
  const range = (await response.text()).toUpperCase()
  const lines = linesOf(range)
  if (!lines.every((line) => linePattern.test(line))) throw new RangeAnswerError('unreadable')
  // Every range has entries, and one that was filled up could not be empty: this is no list.
  if (lines.length === 0) throw new RangeAnswerError('empty')
  return range
}

/** Whether a digest is in its range. A count of 0 is padding: it stands for no password. */
export function isInRange(range: string, sha1: string): boolean {
  const start = `${sha1.slice(prefixDigits)}:`
  return linesOf(range).some((line) => line.startsWith(start) && Number(line.slice(start.length)) > 0)
}

function linesOf(range: string): string[] {
  return range.split(/\r?\n/).filter((line) => line !== '')
}
