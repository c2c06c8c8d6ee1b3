/** What names, reasons and other texts of people may contain, over all of Unicode. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasPlainControls, hasVisible, isDirectionSafe, isSingleLine } from '../src/visible-text.ts'

const point = (code: number) => String.fromCodePoint(code)
const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, step) => point(first + step))

/** Unicode's Bidi_Control, written out. */
const bidiControls = [...Array.from('\u061c\u200e\u200f'), ...range(0x202a, 0x202e), ...range(0x2066, 0x2069)]

/** Characters that are drawn as nothing though some are letters, marks or symbols, by hand and not by a property. */
const invisible = [
  ...range(0, 0x20),
  ...range(0x7f, 0xa0),
  ...Array.from('\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f'),
  ...range(0x2000, 0x200f),
  ...range(0x2028, 0x202f),
  ...range(0x205f, 0x206f),
  ...Array.from('\u2800\u3000\u3164\ufeff\uffa0\ufffc'),
  ...range(0xfe00, 0xfe0f),
  ...range(0xfff0, 0xfffb),
  ...range(0x1bca0, 0x1bca3),
  ...range(0x1d173, 0x1d17a),
  point(0x1d159),
  ...range(0xe0000, 0xe01ef),
  // Private use, a code point without a character, and one that never gets any.
  '\ue000',
  point(0x50000),
  '\uffff',
]

const anyPoint = fc.integer({ min: 0, max: 0x10ffff }).map(point)
const ofCategory = (pattern: RegExp) => anyPoint.filter((character) => pattern.test(character))

describe('a text', () => {
  it('of invisible characters alone shows nothing, however many there are', () => {
    for (const character of invisible) expect(hasVisible(character), character.codePointAt(0)!.toString(16)).toBe(false)
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...invisible) }), (text) => !hasVisible(text)))
  })

  it('of spaces, controls, formats, marks and unassigned code points shows nothing', () => {
    fc.assert(fc.property(fc.string({ unit: ofCategory(/[\p{Z}\p{C}\p{M}]/u) }), (text) => !hasVisible(text)))
  })

  it('with any letter, digit, sign or emoji among them shows something', () => {
    const seen = fc.constantFrom(...Array.from('aÉ中あ한नاש9٣.-—@$©♥🦊👩'))
    const other = fc.string({ unit: fc.constantFrom(...invisible) })
    fc.assert(fc.property(other, seen, other, (before, character, after) => hasVisible(before + character + after)))
  })

  it('of any letter or digit that is not a filler shows something', () => {
    const letter = ofCategory(/[\p{L}\p{N}]/u).filter((character) => !invisible.includes(character))
    // Two hieroglyphs are blanks.
    const drawn = letter.filter((character) => !/[\u{13441}\u{13442}]/u.test(character))
    fc.assert(fc.property(drawn, hasVisible), { numRuns: 2000 })
  })

  it('turns its direction with each of the twelve controls for that, and with nothing else', () => {
    expect(bidiControls).toHaveLength(12)
    for (const control of bidiControls) expect(isDirectionSafe(`a${control}b`), control).toBe(false)
    const others = fc.string({ unit: anyPoint.filter((character) => !bidiControls.includes(character)) })
    fc.assert(fc.property(others, isDirectionSafe), { numRuns: 1000 })
    fc.assert(
      fc.property(others, fc.constantFrom(...bidiControls), others, (before, control, after) => {
        return !isDirectionSafe(before + control + after)
      }),
    )
  })

  it('is a line unless it has a control character or breaks', () => {
    const breaking = [...range(0, 0x1f), ...range(0x7f, 0x9f), '\u2028', '\u2029']
    for (const character of breaking) expect(isSingleLine(`a${character}b`)).toBe(false)
    const others = fc.string({ unit: anyPoint.filter((character) => !breaking.includes(character)) })
    fc.assert(fc.property(others, isSingleLine), { numRuns: 1000 })
  })

  it('of several lines has newlines and tabs and no other control character', () => {
    for (const character of ['\n', '\t', '\r\n', '\u2028']) expect(hasPlainControls(`a${character}b`)).toBe(true)
    const refused = [...range(0, 0x1f), ...range(0x7f, 0x9f)].filter((character) => !/[\n\t]/.test(character))
    for (const character of refused) expect(hasPlainControls(`a${character}b`)).toBe(false)
  })

  it.each([
    ['Persian with a non-joiner', 'می\u200cخواهم'],
    ['Sinhala with a joiner', 'ශ්\u200dරී'],
    ['a family of emoji', '👩\u200d👩\u200d👧'],
    ['the flag of England, in tags', '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}'],
    ['a red heart with a variation selector', '❤\ufe0f'],
    ['Thai with a zero-width space', 'สวัสดี\u200bครับ'],
    ['a long word with a soft hyphen', 'Donaudampf\u00adschiff'],
    ['Hebrew', 'עדה'],
    ['Arabic and Latin mixed', 'آدا Ada'],
    ['a letter with a combining mark', 'A\u0301da'],
  ])('is right as it is: %s', (_, text) => {
    expect([isDirectionSafe(text), isSingleLine(text), hasVisible(text)]).toEqual([true, true, true])
  })
})
