/** The language of the pages and its catalog of texts. */
import { loadAgain } from '../navigation.ts'
import { type Texts, en } from './en.ts'

export const languages = { en: 'English', de: 'Deutsch' } as const
export type Language = keyof typeof languages

const storageKey = 'postern:language'
const isLanguage = (tag: string): tag is Language => Object.hasOwn(languages, tag)

/** The language that the visitor chose earlier, or the first of the browser's languages that has a catalog. */
export function chosenLanguage(): Language {
  const chosen = [readChoice(), ...navigator.languages].map((tag) => tag?.split('-')[0] ?? '').find(isLanguage)
  return chosen ?? 'en'
}

export function chooseLanguage(language: Language): void {
  try {
    localStorage.setItem(storageKey, language)
  } catch {
    // Without storage the choice cannot be kept.
  }
  loadAgain()
}

function readChoice(): string | null {
  try {
    return localStorage.getItem(storageKey)
  } catch {
    return null
  }
}

export let texts: Texts = en
export let language: Language = 'en'

/** Must finish before the first render, so that nothing is rendered twice. */
export async function loadTexts(): Promise<void> {
  language = chosenLanguage()
  document.documentElement.lang = language
  if (language === 'de') texts = (await import('./de.ts')).de
}
