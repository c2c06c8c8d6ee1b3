/** The buffer that RFC 5646 §4.4.1 advises for a language tag. */
const maxLength = 35

/** RFC 5646 §2.2.7. `Intl` knows no tag that is private use from its beginning. */
const privateUse = /^x(?:-[a-z0-9]{1,8})+$/i
/** RFC 5646 §2.2.2: `zh-yue`. The canonical form is the second subtag alone (§4.5), and `Intl` reads no other. */
const extendedLanguage = /^[a-z]{2,3}-(?=[a-z]{3}(?:-|$))/i

/** POSIX names a locale with an encoding and a modifier, which are no part of the language: `de_DE.UTF-8@euro`. */
const posixSuffix = /(?:\.[\w-]+)?(?:@\w+)?$/

/**
 * The grandfathered tags that `Intl` refuses, or reads as something else, with what the registry of languages or else
 * Unicode has for each (RFC 5646 §2.2.8, UTS 35 §3.3.1).
 */
const grandfathered = new Map<string, string>([
  ['en-gb-oed', 'en-GB-oxendict'],
  ['i-ami', 'ami'],
  ['i-bnn', 'bnn'],
  ['i-default', 'en-x-i-default'],
  ['i-enochian', 'und-x-i-enochian'],
  ['i-hak', 'hak'],
  ['i-klingon', 'tlh'],
  ['i-lux', 'lb'],
  ['i-mingo', 'see-x-i-mingo'],
  ['i-navajo', 'nv'],
  ['i-pwn', 'pwn'],
  ['i-tao', 'tao'],
  ['i-tay', 'tay'],
  ['i-tsu', 'tsu'],
  ['no-bok', 'nb'],
  ['no-nyn', 'nn'],
  ['sgn-be-fr', 'sfb'],
  ['sgn-be-nl', 'vgt'],
  ['sgn-ch-de', 'sgg'],
  ['zh-min', 'nan-x-zh-min'],
  ['zh-min-nan', 'nan'],
])

/**
 * The canonical form of a language tag (BCP 47), `undefined` for anything else. Underscores are taken for hyphens,
 * because Java, iOS and gettext write `en_US`; what POSIX puts behind it is dropped.
 */
export function normalizeLanguageTag(input: string): string | undefined {
  const tag = input.replace(posixSuffix, '').replaceAll('_', '-')
  if (tag.length > maxLength) return undefined
  const preferred = grandfathered.get(tag.toLowerCase())
  if (preferred !== undefined) return preferred
  const canonical = privateUse.test(tag)
    ? tag.toLowerCase()
    : (canonicalOf(tag) ?? canonicalOf(tag.replace(extendedLanguage, '')))
  return canonical !== undefined && canonical.length <= maxLength ? canonical : undefined
}

function canonicalOf(tag: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(tag)[0]
  } catch {
    return undefined
  }
}
