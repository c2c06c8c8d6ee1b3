/**
 * Where a browser may be led: the one answer for the pages, for links in emails and for the API (open redirects, OWASP
 * ASVS 3.7.2). Pure, because the pages load it, too.
 */

/** The longest address in an email: long enough for the state of an application, short enough for a link. */
export const returnToMaxLength = 512

/**
 * Reads an address: a path of our own, or a URL of our origin or of an allowed one. The URL parser of the platform
 * reads it, and its `href` is the answer as a whole. Never put an address together from the parts of a URL: a path may
 * start with `//`, which alone names another host.
 *
 * @param own our origin
 * @param allowed other origins, as browsers spell them
 * @returns an absolute URL in ASCII, or `undefined` when a browser may not be led there
 */
export function findDestination(asked: string, own: string, allowed: readonly string[]): string | undefined {
  const url = parse(asked, own)
  if (!url || !['https:', 'http:'].includes(url.protocol) || url.username || url.password) return undefined
  return url.origin === own || allowed.includes(url.origin) ? url.href : undefined
}

/** Not `URL.parse`, which the oldest supported browsers do not have. */
function parse(asked: string, own: string): URL | undefined {
  try {
    return new URL(asked, own)
  } catch {
    return undefined
  }
}
