/**
 * Estimates how hard a password is to guess: with zxcvbn, and by the names and words that it is put together from.
 * Import this module only dynamically: its lists take about 100 ms to load, and most requests set no password.
 */
import { ZxcvbnFactory, type ZxcvbnResult } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common'
import { type Part, guessesLog10, otherLetterCost } from './guesses.ts'
import { joinedWordsAdvice, suggestions, timeEstimation, warnings } from './strength-words.ts'

/** Crafted long input costs half a second. A password that is weak in its first 32 characters counts as weak. */
const judgedCodePoints = 32

/** The guesses from which on zxcvbn gives the scores 1 to 4, as decimal logarithms. */
const scoreLimits = [3, 6, 8, 10]

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
 * Judges a password. Words that are known about the person (address, names, the product) count as guessed at once, and
 * the rest of the password has to be strong enough without them: zxcvbn overrates a combination of known words.
 */
export function judgeStrength(password: string, knownWords: readonly string[]): StrengthVerdict {
  const judged = Array.from(password).slice(0, judgedCodePoints).join('')
  const { score: whole, feedback } = judgeText(judged, [...knownWords])
  const longestFirst = knownWords.toSorted((a, b) => b.length - a.length)
  const lower = judged.toLowerCase()
  const rest = longestFirst.reduce((left, word) => left.replaceAll(word, ''), lower)
  const score = rest === lower ? whole : Math.min(whole, judgeText(rest).score)
  return { score, advice: [feedback.warning, ...feedback.suggestions].filter(Boolean).join(' ') }
}

/** The lower of two scores: zxcvbn's, and that of the parts without what people put around a word. */
function judgeText(text: string, userInputs: string[] = []): Pick<ZxcvbnResult, 'score' | 'feedback'> {
  const result = judge.check(text, userInputs)
  const parts = partsOf(result, 0)
  const core = /\p{L}.*\p{L}/su.exec(text)
  if (core && core[0] !== text) parts.push(...partsOf(judge.check(core[0], userInputs), core.index))
  const foreign = foreignLettersLog10(result)
  const byPatterns = foreign === 0 ? result.score : scoreOf(result.guessesLog10 + foreign)
  const score = Math.min(byPatterns, scoreOf(guessesLog10(text, parts))) as ZxcvbnResult['score']
  // zxcvbn has no advice about a password that it accepts.
  const feedback = result.score > score ? { warning: null, suggestions: [joinedWordsAdvice] } : result.feedback
  return { score, feedback }
}

function scoreOf(log10: number): number {
  return scoreLimits.filter((limit) => log10 >= limit).length
}

/** What zxcvbn recognized: used passwords, keyboard patterns, dates, repetitions. */
function partsOf({ sequence }: ZxcvbnResult, offset: number): Part[] {
  return sequence
    .filter(({ pattern }) => pattern !== 'bruteforce')
    .map(({ i, j, guessesLog10 }) => ({ start: i + offset, end: j + 1 + offset, cost: guessesLog10 }))
}

/** zxcvbn counts ten guesses for a letter of any script, which is too little for a sentence in Chinese. */
function foreignLettersLog10({ sequence }: ZxcvbnResult): number {
  const unknown = sequence.filter(({ pattern }) => pattern === 'bruteforce').map(({ token }) => token)
  return Array.from(unknown.join('')).reduce((sum, letter) => sum + (otherLetterCost(letter) ?? 1) - 1, 0)
}
