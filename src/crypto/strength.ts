/**
 * How hard a password is to guess, judged by zxcvbn. Import this module only dynamically: its dictionaries take about
 * 50 ms to load, and most requests never set a password.
 */
import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common'
import { suggestions, timeEstimation, warnings } from './strength-words.ts'

/** Crafted long input costs the judge half a second; what 32 characters cannot do, the rest will not. */
const judgedCodePoints = 32

const judge = new ZxcvbnFactory({
  dictionary,
  graphs: adjacencyGraphs,
  maxLength: 2 * judgedCodePoints,
  translations: { warnings, suggestions, timeEstimation },
})

export interface StrengthVerdict {
  /** 0 (top of every list) to 4 (beyond an offline attack), zxcvbn's scale. */
  score: number
  /** What a person should do about it, in whole sentences. Empty when there is nothing to say. */
  advice: string
}

/**
 * Judges a password; words the person is known by (address, names, the product) count as guessed at once. What is left
 * without them has to be good enough as well: zxcvbn thinks much of each further word, even of one that it was told.
 */
export function judgeStrength(password: string, knownWords: readonly string[]): StrengthVerdict {
  const judged = Array.from(password).slice(0, judgedCodePoints).join('')
  const { score: whole, feedback } = judge.check(judged, [...knownWords])
  const longestFirst = knownWords.toSorted((a, b) => b.length - a.length)
  const lower = judged.toLowerCase()
  const rest = longestFirst.reduce((left, word) => left.replaceAll(word, ''), lower)
  const score = rest === lower ? whole : Math.min(whole, judge.check(rest).score)
  return { score, advice: [feedback.warning, ...feedback.suggestions].filter(Boolean).join(' ') }
}
