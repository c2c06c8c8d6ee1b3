/** Which domains an address may have. The routes' own tests have the rest of the address. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { normalizeEmailAddress } from '../src/email-address.ts'
import { decodePunycode } from '../src/punycode.ts'

const kept = (domain: string) => normalizeEmailAddress(`a@${domain}`)?.slice(2)

describe('a domain', () => {
  it.each([
    ['example.com', 'example.com'],
    ['EXAMPLE.Com', 'example.com'],
    ['a-b.co.uk', 'a-b.co.uk'],
    ['a--b.example', 'a--b.example'],
    ['abc--d.example', 'abc--d.example'],
    ['3com.example', '3com.example'],
    ['1.2.3.example', '1.2.3.example'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['straße.de', 'xn--strae-oqa.de'],
    ['XN--STRAE-OQA.de', 'xn--strae-oqa.de'],
    ['例え。テスト', 'xn--r8jz45g.xn--zckzah'],
    ['правда.рф', 'xn--80aafi6cg.xn--p1ai'],
    ['xn--80aafi6cg.xn--p1ai', 'xn--80aafi6cg.xn--p1ai'],
    ['مثال.إختبار', 'xn--mgbh0fb.xn--kgbechtv'],
    ['نامه\u200cای.com', 'xn--mgba3gch31f060k.com'],
    ['l·l.cat', 'xn--ll-0ea.cat'],
    ['〇.example', 'xn--w6j.example'],
    ['བོད་.example', 'xn--nbd3loa6m.example'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
  ])('is taken: %s', (domain, ascii) => {
    expect(kept(domain)).toBe(ascii)
  })

  it.each([
    ['punycode that does not decode', 'xn--a.com'],
    ['punycode that overflows', 'xn--99999999.com'],
    ['punycode beyond Unicode', 'xn--zzzzzzzzzzzz.com'],
    ['punycode of nothing', 'xn--.com'],
    ['punycode of ASCII', 'xn--abc-.com'],
    ['punycode with a delimiter first', 'xn---abc.com'],
    ['punycode of a capital letter', 'xn--bcher-2pa.com'],
    ['punycode of text that is not in NFC', 'xn--ea-8tb.com'],
    ['punycode of a ligature', 'xn--n-sy8h.com'],
    ['punycode of a dot', 'xn--a-eha7227a.com'],
    ['punycode of a soft hyphen', 'xn--a-vca1v.com'],
    ['punycode of a character that is mapped', 'xn--zca0.example'],
    ['punycode below another level', 'mail.xn--a.com'],
    ['punycode as the last label', 'example.xn--a'],
    ['other reserved labels', 'ab--cd.com'],
    ['reserved labels that look like punycode', 'xm--bcher-kva.com'],
    ['a hyphen first', '-a.com'],
    ['a hyphen last', 'a-.com'],
    ['a hyphen first, before other letters', '-ü.com'],
    ['a hyphen last, after other letters', 'ü-.com'],
    ['a label of 64 letters', `${'a'.repeat(64)}.com`],
    ['a label of 64 letters in punycode', `${'ü'.repeat(60)}.com`],
    ['an empty label', 'a..com'],
    ['an empty first label', '.a.com'],
    ['a dot at the end', 'a.com.'],
    ['an ideographic dot at the end', 'a.com。'],
    ['one label', 'localhost'],
    ['one label in punycode', 'xn--bcher-kva'],
    ['a numeric last label', 'a.1'],
    ['a last label of one letter', 'a.b'],
    ['an IPv4 address', '127.0.0.1'],
    ['an IPv4 address in hexadecimal', '0x7f.1'],
    ['an IPv4 address in full-width digits', '１２７.0.0.1'],
    ['an IPv4 literal', '[127.0.0.1]'],
    ['an IPv6 literal', '[IPv6:::1]'],
    ['letters of both directions in one label', 'אa.com'],
    ['a digit before Hebrew', '1א.com'],
    ['a joiner where none belongs', 'a\u200db.com'],
    ['a combining mark first', '\u0301a.com'],
    ['an unassigned code point', '\u0378.com'],
    ['an emoji', '😀.com'],
    ['an emoji in punycode', 'xn--e28h.com'],
    ['a symbol', 'i❤.ws'],
    ['a currency', '€.com'],
    ['a fraction slash', 'a⁄b.com'],
    ['an underscore', 'a_b.com'],
    ['a percent sign', 'a%2eb.com'],
    ['a user', 'x@y@a.com'],
    ['a port', 'a.com:25'],
    ['a path', 'a.com/x'],
    ['a space', 'a b.com'],
  ])('is refused: %s', (_, domain) => expect(kept(domain)).toBeUndefined())

  it('is the same in Unicode and in punycode, and stays the same when it is read again', () => {
    const letter = fc.constantFrom(...Array.from('abz09-äöüßéœπжяאבגابپ中文日本あカ한국ไทยनम😀❤'))
    fc.assert(
      fc.property(fc.string({ unit: letter, minLength: 1, maxLength: 20 }), (label) => {
        const ascii = kept(`${label}.example`)
        if (ascii === undefined) return
        expect(kept(ascii)).toBe(ascii)
        expect(kept(ascii.toUpperCase())).toBe(ascii)
        const [encoded = ''] = ascii.split('.')
        if (encoded.startsWith('xn--')) expect(kept(`${decodePunycode(encoded.slice(4))}.example`)).toBe(ascii)
      }),
      { numRuns: 2000 },
    )
  })

  it('in punycode is taken only when it is what its decoded label encodes to', () => {
    const suffix = fc.string({
      unit: fc.constantFrom(...Array.from('abcdefghijklmnopqrstuvwxyz0123456789-')),
      maxLength: 30,
    })
    fc.assert(
      fc.property(suffix, (text) => {
        const ascii = kept(`xn--${text}.example`)
        const decoded = decodePunycode(text)
        const host = decoded === undefined ? undefined : URL.parse(`http://${decoded}.example`)?.hostname
        if (ascii !== undefined) expect(ascii).toBe(host)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('punycode', () => {
  // RFC 3492 §7.1.
  it.each([
    ['egbpdaj6bu4bxfgehfvwxn', 'ليهمابتكلموشعربي؟'],
    ['ihqwcrb4cv8a8dqg056pqjye', '他们为什么不说中文'],
    ['Proprostnemluvesky-uyb24dma41a', 'Pročprostěnemluvíčesky'],
    ['4dbcagdahymbxekheh6e0a7fei0b', 'למההםפשוטלאמדבריםעברית'],
    ['i1baa7eci9glrd9b2ae1bj0hfcgg6iyaf8o0a1dig0cd', 'यहलोगहिन्दीक्योंनहींबोलसकतेहैं'],
    ['n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa', 'なぜみんな日本語を話してくれないのか'],
    ['b1abfaaepdrnnbgefbadotcwatmq2g4l', 'почемужеонинеговорятпорусски'],
    ['3B-ww4c5e180e575a65lsy2b', '3年B組金八先生'],
    ['d9juau41awczczp', 'そのスピードで'],
  ])('is decoded as in RFC 3492: %s', (encoded, text) => expect(decodePunycode(encoded)).toBe(text))
})
