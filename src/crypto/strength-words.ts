/** The texts for zxcvbn's findings. Our own, because the library's English package includes 600 kB of dictionaries. */
import type { TranslationKeys } from '@zxcvbn-ts/core'

export const warnings: TranslationKeys['warnings'] = {
  straightRow: 'Straight rows of keys on a keyboard are easy to guess.',
  keyPattern: 'Short keyboard patterns are easy to guess.',
  simpleRepeat: 'Repeated characters like "aaa" are easy to guess.',
  extendedRepeat: 'Repeated patterns like "abcabcabc" are easy to guess.',
  sequences: 'Common sequences like "abc" are easy to guess.',
  recentYears: 'Recent years are easy to guess.',
  dates: 'Dates are easy to guess.',
  topTen: 'This is one of the most used passwords there are.',
  topHundred: 'This is a frequently used password.',
  common: 'This is a commonly used password.',
  similarToCommon: 'This is similar to a commonly used password.',
  wordByItself: 'Single words are easy to guess.',
  namesByThemselves: 'Single names are easy to guess.',
  commonNames: 'Common names are easy to guess.',
  userInputs: 'It must not be made of your address, your name or the name of this service.',
  pwned: 'This password appeared in a data breach.',
}

export const suggestions: TranslationKeys['suggestions'] = {
  l33t: 'Predictable substitutions like "@" for "a" help little.',
  reverseWords: 'Reversed words help little.',
  allUppercase: 'Capitalise some letters, but not all of them.',
  capitalization: 'Capitalise more than the first letter.',
  dates: 'Avoid dates and years that are associated with you.',
  recentYears: 'Avoid recent years.',
  associatedYears: 'Avoid years that are associated with you.',
  sequences: 'Avoid common sequences.',
  repeated: 'Avoid repeated words and characters.',
  longerKeyboardPattern: 'Use a longer keyboard pattern that changes direction more than once.',
  anotherWord: 'Add more words that are less common.',
  useWords: 'Use several words, but avoid common phrases.',
  noNeed: 'Symbols, digits or capital letters are not needed.',
  pwned: 'If you use this password elsewhere, change it there.',
}

/** For names and words in a row, or with years, digits and symbols around them. The library has no such finding. */
export const joinedWordsAdvice =
  'Names and words are easy to guess, even with years, digits or symbols around them. Add more words that are less common.'

/** The library requires these as well, but they are never shown. */
export const timeEstimation: TranslationKeys['timeEstimation'] = {
  ltSecond: '',
  second: '',
  seconds: '',
  minute: '',
  minutes: '',
  hour: '',
  hours: '',
  day: '',
  days: '',
  month: '',
  months: '',
  year: '',
  years: '',
  centuries: '',
}
