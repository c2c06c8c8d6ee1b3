/** Which language the pages speak, and its texts. All of them are in one catalogue for each language. */
import { type Texts, en } from './en.ts'

export const languages = { en: 'English', de: 'Deutsch' } as const
export type Language = keyof typeof languages

const storageKey = 'postern:language'
const isLanguage = (tag: string): tag is Language => tag in languages

/** What was chosen here before, else the first of the browser's languages that there is. */
export function chosenLanguage(): Language {
  const chosen = [readChoice(), ...navigator.languages].map((tag) => tag?.split('-')[0] ?? '').find(isLanguage)
  return chosen ?? 'en'
}

export function chooseLanguage(language: Language): void {
  try {
    localStorage.setItem(storageKey, language)
  } catch {
    // A browser that stores nothing asks again.
  }
  location.reload()
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

/** To be awaited before anything is drawn, so that nothing is drawn twice. */
export async function loadTexts(): Promise<void> {
  language = chosenLanguage()
  document.documentElement.lang = language
  if (language === 'de') texts = (await import('./de.ts')).de
}
