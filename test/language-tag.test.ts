/** Language tags as devices and frameworks write them. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { normalizeLanguageTag } from '../src/language-tag.ts'

describe('a language tag', () => {
  it.each([
    ['en', 'en'],
    ['en_US', 'en-US'],
    ['EN-us', 'en-US'],
    ['pt_br', 'pt-BR'],
    ['zh-Hans_CN', 'zh-Hans-CN'],
    ['ZH_hANT_tw', 'zh-Hant-TW'],
    ['sr_Latn_RS', 'sr-Latn-RS'],
    ['es-419', 'es-419'],
    ['de-CH-1996', 'de-CH-1996'],
    ['de-DE-u-co-phonebk', 'de-DE-u-co-phonebk'],
    ['en-a-bbb-x-a-ccc', 'en-a-bbb-x-a-ccc'],
    ['en-x-klingon', 'en-x-klingon'],
    ['x-klingon', 'x-klingon'],
    ['X_Whatever_1', 'x-whatever-1'],
    ['zh-yue-HK', 'yue-HK'],
    ['zh-cmn-Hans-CN', 'zh-Hans-CN'],
    ['art-lojban', 'jbo'],
    // Every irregular tag of RFC 5646 §2.2.8, with the value that the registry prefers.
    ['i-klingon', 'tlh'],
    ['I_LUX', 'lb'],
    ['i-ami', 'ami'],
    ['i-bnn', 'bnn'],
    ['i-hak', 'hak'],
    ['i-navajo', 'nv'],
    ['i-pwn', 'pwn'],
    ['i-tao', 'tao'],
    ['i-tay', 'tay'],
    ['i-tsu', 'tsu'],
    ['en-GB-oed', 'en-GB-oxendict'],
    ['sgn-BE-FR', 'sfb'],
    ['sgn-BE-NL', 'vgt'],
    ['sgn_ch_de', 'sgg'],
    // The registry prefers none. These are those of Unicode (UTS 35, aliases), which `Intl` understands.
    ['i-default', 'en-x-i-default'],
    ['i-enochian', 'und-x-i-enochian'],
    ['i-mingo', 'see-x-i-mingo'],
    // Regular ones that look like a language and its extension.
    ['no-bok', 'nb'],
    ['no-nyn', 'nn'],
    ['zh-min-nan', 'nan'],
    ['zh-min', 'nan-x-zh-min'],
    ['zh-guoyu', 'zh'],
    ['zh-hakka', 'hak'],
    ['zh-xiang', 'hsn'],
    ['cel-gaulish', 'xtg'],
    ['iw', 'he'],
    ['en_US_POSIX', 'en-US-u-va-posix'],
    ['en_US.UTF-8', 'en-US'],
    ['de@euro', 'de'],
    ['de_AT.ISO-8859-15@euro', 'de-AT'],
    ['und', 'und'],
    [`x-${'a'.repeat(8)}-${'b'.repeat(8)}-${'c'.repeat(8)}-${'d'.repeat(6)}`, 'x-aaaaaaaa-bbbbbbbb-cccccccc-dddddd'],
  ])('is kept in its canonical form (RFC 5646 §4.5): %s', (input, canonical) => {
    expect(normalizeLanguageTag(input)).toBe(canonical)
    expect(normalizeLanguageTag(canonical)).toBe(canonical)
  })

  it.each([
    '',
    ' ',
    '-',
    '_',
    'e',
    'x',
    'x-',
    'x--a',
    'x-ninechars',
    'x-klingön',
    'en-',
    'en--US',
    'en US',
    'en-US\n',
    'en,de',
    'en;q=0.8',
    'english!',
    'en_US.',
    'en_US.UTF-8.x',
    'en.US UTF-8',
    'en@example.com',
    'C.UTF-8',
    '.UTF-8',
    '*',
    'enUS-toolongsubtag',
    'en-a',
    'en-a-bb-a-cc',
    'de-1996-1996',
    '中文',
    '../en',
    `en-x-${'a'.repeat(8)}-${'b'.repeat(8)}-${'c'.repeat(8)}-${'d'.repeat(4)}`,
    'x'.repeat(5000),
  ])('is nothing else: %j', (input) => expect(normalizeLanguageTag(input)).toBeUndefined())

  it('never throws, and what it gives is canonical, short and understood by Intl or private', () => {
    const part = fc.string({ unit: fc.constantFrom(...Array.from('aexuxtnUS019-_')), maxLength: 12 })
    const text = fc.oneof(
      part,
      fc.string(),
      fc.array(part, { maxLength: 5 }).map((parts) => parts.join('-')),
    )
    fc.assert(
      fc.property(text, (input) => {
        const tag = normalizeLanguageTag(input)
        if (tag === undefined) return
        expect(tag).toMatch(/^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$/)
        expect(tag.length).toBeLessThanOrEqual(35)
        expect(normalizeLanguageTag(tag)).toBe(tag)
        if (!tag.startsWith('x-')) expect(new Intl.Locale(tag).toString()).toBe(tag)
      }),
      { numRuns: 3000 },
    )
  })
})
