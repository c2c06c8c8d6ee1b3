/** The language of the pages and its catalog of texts. */
import { loadAgain } from '../navigation.ts'
import { type Texts, en } from './en.ts'

/** By tag, each in its own words. A language needs a line here and a file of its tag in each folder of texts. */
export const languages = {
  en: 'English',
  de: 'Deutsch',
} as const
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
  texts = await loadCatalog(import.meta.glob<Catalog<Texts>>(['./*.ts', '!./en.ts', '!./language.ts']), en)
}

/** What the file of a language exports, under its tag. */
export type Catalog<T> = Readonly<Record<string, T>>

/**
 * The texts of a folder in the chosen language. The build makes a chunk of each file, and only the chosen one is loaded.
 *
 * @param files the files of the folder but the English one, which is part of the page
 */
export async function loadCatalog<T>(files: Record<string, () => Promise<Catalog<T>>>, english: T): Promise<T> {
  const catalog = await new Map(Object.entries(files)).get(`./${language}.ts`)?.()
  return catalog?.[language] ?? english
}
