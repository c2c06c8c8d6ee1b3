/** The texts of the console, in a catalog of their own so that no other page loads them. */
import { language } from '../../texts/language.ts'
import { type Words, en } from './en.ts'

export let words: Words = en

export async function loadWords(): Promise<void> {
  if (language === 'de') words = (await import('./de.ts')).de
}
