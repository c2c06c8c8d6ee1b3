/** What a `User-Agent` header says of a device, for emails and pages alike. */

/** In this order: most browsers also name the ones further down. */
const browsers = [
  ['Edge', /\bEdg(?:e|A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(?:Firefox|FxiOS)\//],
  ['Chrome', /(?:Chrome|CriOS)\//],
  ['Safari', /\bVersion\/.*\bSafari\//],
  ['curl', /^curl\//],
] as const

const systems = [
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Android', /\bAndroid\b/],
  ['Windows', /\bWindows\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['macOS', /\bMacintosh\b/],
  ['Linux', /\bLinux\b/],
] as const

/** A browser's whole name fits well within this. The rest is not read, so that no header can cost time. */
const readLength = 512

/** Both names are ours, never the sender's words; either is `undefined` when the header does not tell. */
export function readUserAgent(userAgent: string) {
  const read = userAgent.slice(0, readLength)
  return {
    browser: browsers.find(([, pattern]) => pattern.test(read))?.[0],
    system: systems.find(([, pattern]) => pattern.test(read))?.[0],
  }
}
