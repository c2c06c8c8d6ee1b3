/**
 * Estimates how many guesses it takes to find a password that is made of names, words, years, digits and symbols.
 * zxcvbn overrates these: it counts 10^8 guesses for any combination of three parts or more, however common they are.
 *
 * The password is divided into known parts, in the way that needs the fewest guesses. All numbers are decimal
 * logarithms.
 */
import { packedWords } from './word-list.ts'

/** A part of a password that somebody else recognized: `[start, end)` in UTF-16 units. */
export interface Part {
  start: number
  end: number
  cost: number
}

/**
 * The guesses for a word of each list: the hundred most used words, the next ones and common names, rarer ones and
 * cities, and so on. Names cost little whatever their rank, because attackers have lists of names.
 */
const wordCosts = [1.5, 2.4, 2.9, 3.5, 4.2]
const maxWordLength = 20

/** The packed words of each list by their first two letters. */
const groups = packedWords.map(
  (packed) => new Map(packed.split(' ').map((group) => [group.slice(0, 2), group.slice(2)])),
)

/** The words that were unpacked, by their first two letters: all of them would take a tenth of a second. */
const unpacked = new Map<string, ReadonlyMap<string, number>>()

function wordCost(word: string): number | undefined {
  const start = word.slice(0, 2)
  let words = unpacked.get(start)
  if (!words) {
    words = unpack(start)
    if (words.size > 0) unpacked.set(start, words)
  }
  return words.get(word)
}

function unpack(start: string): Map<string, number> {
  const words = new Map<string, number>()
  for (const [list, ofList] of groups.entries()) {
    let rest = ''
    // Each rest begins with a capital letter that says how many letters it has in common with the one before it.
    for (const [, shared = '', own = ''] of (ofList.get(start) ?? '').matchAll(/([A-Z])([a-z]*)/g)) {
      rest = rest.slice(0, shared.charCodeAt(0) - 65) + own
      words.set(start + rest, wordCosts[list]!)
    }
  }
  return words
}

const usualNumbers =
  /^(?:0+|1+|2+|3+|4+|5+|6+|7+|8+|9+|0?[1-9]|12|123|1234|12345|123456|1234567|12345678|123456789|1234567890|321|007|13|42|69|420|1337)$/
const usualSymbols = /^[!.\-_ ?*#@$&+,]$/

/** Substitutions that people make inside a word. */
const substitutes = new Map(
  Object.entries({
    '0': 'o',
    '1': 'i',
    '3': 'e',
    '4': 'a',
    '5': 's',
    '7': 't',
    '8': 'b',
    '@': 'a',
    '€': 'e',
    $: 's',
    '!': 'i',
    '|': 'l',
  }),
)

/**
 * @param password at most a few dozen characters: the work grows with their number
 * @param parts parts that are known from elsewhere, such as keyboard patterns
 */
export function guessesLog10(password: string, parts: readonly Part[] = []): number {
  const costs = spellingsOf(password).map(({ text, cost }) => {
    // The places of the parts are those of the password as it was typed.
    return cost + cheapestDivision(text, text.length === password.length && cost < 1 ? parts : [])
  })
  return Math.min(...costs) + capitalsCost(password)
}

interface Spelling {
  text: string
  cost: number
}

/** The password as the lists spell it, and what it costs to think of this change. */
function spellingsOf(password: string): Spelling[] {
  const plain = fold(password)
  const [, before = '', core = '', after = ''] = /^(\P{L}*)(.*?)(\P{L}*)$/su.exec(plain) ?? []
  const substituted = core.replace(/[^\p{L}]/gu, (character) => substitutes.get(character) ?? character)
  const joined = core.replace(/(?<=\p{L})[-_. ](?=\p{L})/gu, '')
  const withoutUmlauts = plain.replace(/[aou]e/g, (pair) => pair.slice(0, 1))
  const candidates = [
    { text: plain, cost: 0 },
    { text: withoutUmlauts, cost: 0.1 },
    { text: before + joined + after, cost: 0.7 * (core.length - joined.length) },
    { text: before + substituted + after, cost: 0.6 },
    { text: plain.replace(/[^\p{L}]/gu, (character) => substitutes.get(character) ?? character), cost: 0.6 },
    { text: Array.from(plain).toReversed().join(''), cost: 1 },
  ]
  return candidates.filter(({ text }, place) => candidates.findIndex((other) => other.text === text) === place)
}

/** In lower case and without accents, which is how the lists are written. Scripts other than Latin keep their marks. */
export function fold(text: string): string {
  const lower = text.toLowerCase().replaceAll('ß', 'ss')
  return lower
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
}

/** The cheapest way to divide the text into parts: for each place, the cheapest way to get there. */
function cheapestDivision(text: string, parts: readonly Part[]): number {
  const best = [0]
  for (let end = 1; end <= text.length; end++) {
    let least = best[end - 1]! + characterCost(text, end - 1)
    for (let start = Math.max(0, end - maxWordLength); start < end - 1; start++) {
      least = Math.min(least, best[start]! + partCost(text, start, end))
    }
    for (const part of parts) if (part.end === end) least = Math.min(least, best[part.start]! + part.cost)
    best.push(least)
  }
  return best[text.length]!
}

function partCost(text: string, start: number, end: number): number {
  const part = text.slice(start, end)
  const isNumber = /^\d+$/.test(part) && !isDigit(text[start - 1]) && !isDigit(text[end])
  const isRepeated = part.length > 2 && text.slice(0, start).includes(part)
  return Math.min(
    wordCost(part) ?? Infinity,
    isNumber ? numberCost(part) : Infinity,
    isRepeated ? (part.length > 3 ? 0.7 : 2) : Infinity,
  )
}

/** Years, pairs of digits and the numbers that everybody appends cost less than their digits. */
function numberCost(digits: string): number {
  if (usualNumbers.test(digits)) return 0.8
  if (/^20[1-3]\d$/.test(digits)) return 0.9
  if (/^(?:19[3-9]\d|200\d)$/.test(digits)) return 1.3
  return /^\d\d$/.test(digits) ? 1.5 : digits.length
}

function characterCost(text: string, place: number): number {
  const character = text[place]!
  if (/[a-z0-9]/.test(character)) return 1
  if (usualSymbols.test(character)) return character === '!' || text.indexOf(character) < place ? 0.3 : 0.6
  return otherLetterCost(character) ?? 1.4
}

/** A letter of a script with more letters than Latin has; `undefined` for anything else. */
export function otherLetterCost(character: string): number | undefined {
  if (/[\p{sc=Han}\p{sc=Hangul}]/u.test(character)) return 2
  return /[\p{L}\p{M}]/u.test(character) && !/\p{sc=Latin}/u.test(character) ? 1.3 : undefined
}

/** A capital letter where a word begins is what most people type. */
function capitalsCost(password: string): number {
  const letters = password.match(/\p{L}/gu) ?? []
  const capitals = password.match(/\p{Lu}/gu)?.length ?? 0
  if (capitals === letters.length) return capitals === 0 ? 0 : 0.3
  const expected = password.match(/(?<!\p{Lu})\p{Lu}/gu)?.length ?? 0
  return Math.min(3, expected * 0.15 + (capitals - expected) * 0.5)
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && /^\d$/.test(character)
}
