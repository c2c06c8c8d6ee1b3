/** Spellings of addresses that have led browsers, parsers and people elsewhere. */
import * as fc from 'fast-check'

export const elsewhere = 'evil.example'

/** Each written against an own origin, such as `https://accounts.example.com`. */
export function spellingsAgainst(own: string): string[] {
  const { host, protocol } = new URL(own)
  return [
    // The scheme is missing, or is written in another way.
    `//${elsewhere}`,
    `///${elsewhere}`,
    `////${elsewhere}/..`,
    `https:${elsewhere}`,
    `https:/${elsewhere}`,
    `https:///${elsewhere}`,
    `HTTPS://${elsewhere.toUpperCase()}`,
    `http://${elsewhere}`,
    `ftp://${elsewhere}`,
    `ws://${host}`,
    `wss://${elsewhere}`,
    // An own path whose text names another host.
    `/.//${elsewhere}`,
    `/..//${elsewhere}`,
    `/x/..//${elsewhere}`,
    `/x/../..//${elsewhere}`,
    `/%2e//${elsewhere}`,
    `/%2E%2e//${elsewhere}`,
    `.//${elsewhere}`,
    `/.///${elsewhere}`,
    `/./\\${elsewhere}`,
    `/.\\\\${elsewhere}`,
    `${own}//${elsewhere}`,
    `${own}///${elsewhere}`,
    `${own}/.//${elsewhere}`,
    `${own}\\\\${elsewhere}`,
    `${own}//${elsewhere}/account/`,
    `${own}/%2f%2f${elsewhere}`,
    `/%2f/${elsewhere}`,
    `/%5c${elsewhere}`,
    `/%09/${elsewhere}`,
    // Backslashes are slashes to a browser.
    `\\\\${elsewhere}`,
    `/\\${elsewhere}`,
    `\\/${elsewhere}`,
    `/\\/\\${elsewhere}`,
    `https:\\\\${elsewhere}`,
    // Browsers drop tabs and line ends, and trim controls.
    `\t//${elsewhere}`,
    `/\t/${elsewhere}`,
    `/\n/${elsewhere}`,
    `/\r\n/${elsewhere}`,
    ` //${elsewhere} `,
    `\u0000//${elsewhere}`,
    `\u001f//${elsewhere}`,
    `ht\ntps://${elsewhere}`,
    `java\tscript:alert(1)`,
    // Another host that looks like the own one.
    `${own}.${elsewhere}`,
    `${own}@${elsewhere}`,
    `${own}:x@${elsewhere}`,
    `${own}%40${elsewhere}`,
    `${protocol}//${host}\\@${elsewhere}`,
    `${protocol}//${elsewhere}#${host}`,
    `${protocol}//${elsewhere}?${own}/account`,
    `${protocol}//${elsewhere}/${host}`,
    `${protocol}//x@${host}/account`,
    `${protocol}//:pw@${host}/account`,
    `${protocol}//${host}.`,
    `${protocol}//${host.replace(/:\d+$/, '')}:1/account`,
    // Hosts in another writing.
    `//evil\u3002example`,
    `//evil\uff0eexample`,
    `\uff0f\uff0f${elsewhere}`,
    `/\uff0f${elsewhere}`,
    `/\u2044${elsewhere}`,
    `//\uff45vil.example`,
    `//xn--e1awd7f.example`,
    `//[::ffff:203.0.113.7]`,
    `//3405803783`,
    `//0xcb.0x00.0x71.7`,
    `//${elsewhere}.`,
    `//${elsewhere}:443`,
    // Schemes that run something or hold a page of their own.
    `javascript:alert(1)`,
    `JAVASCRIPT:alert(1)`,
    ` javascript:alert(1)`,
    `javascript://${host}/%0aalert(1)`,
    `data:text/html,x`,
    `data:text/html;base64,PGI+`,
    `blob:${own}/0b1f2c3d-0000-4000-8000-000000000000`,
    `filesystem:${own}/temporary/x`,
    `about:blank`,
    `view-source:${own}`,
    `file:///etc/passwd`,
    `intent://${elsewhere}#Intent;scheme=https;end`,
    `mailto:x@${elsewhere}`,
    `vbscript:x`,
    // Nothing that can be read, and what is read as one of ours.
    `https://`,
    `https://[`,
    `//`,
    ``,
    `?return_to=//${elsewhere}`,
    `/sign-in?return_to=//${elsewhere}`,
    `/sign-in/?return_to=/.//${elsewhere}`,
    `#//${elsewhere}`,
  ]
}

/** Any sequence of the pieces that such spellings are made of. */
export function spellings(own: string): fc.Arbitrary<string> {
  const { host, protocol } = new URL(own)
  const pieces = [
    ['/', '//', '\\', '.', '..', ':', '@', '?', '#', '%', '%2f', '%5c', '%2e', '%00', '%0d%0a', '&', ';', '*'],
    ['\t', '\n', '\r', ' ', '\0', '\u001f', '\u007f', '\u00a0', '\u200b', '\u202e', '\ufeff', '\ud800'],
    ['\u3002', '\uff0e', '\uff0f', '\uff1a', '\uff20', '\u2044', '\u2215', '\u00df', '\u0131'],
    ['https:', 'http:', 'HTTPS:', 'javascript:', 'data:', 'blob:', 'about:', 'file:', protocol, own, host, 'xn--'],
    [elsewhere, 'localhost', '[::1]', '127.1', '0x7f.1', ':443', ':8443', ':99999', 'user', 'pw', 'account', 'a'],
  ].flat()
  return fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })), { maxLength: 10 })
    .map((parts) => parts.join(''))
}
