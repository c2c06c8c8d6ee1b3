/**
 * Estimates with zxcvbn how hard a password is to guess. Import this module only dynamically: its dictionaries take about
 * 50 ms to load, and most requests set no password.
 */
import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common'
import { suggestions, timeEstimation, warnings } from './strength-words.ts'

/** Crafted long input costs half a second. A password that is weak in its first 32 characters counts as weak. */
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
  /** What to do about it, in whole sentences. May be empty. */
  advice: string
}

/**
 * Judges a password. Words that are known about the person (address, names, the product) count as guessed at once, and the
 * rest of the password has to be strong enough without them: zxcvbn overrates a combination of known words.
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
