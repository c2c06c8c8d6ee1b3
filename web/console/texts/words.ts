/** The console's own catalogue, so that nobody else loads it. */
import { language } from '../../texts/language.ts'
import { type Words, en } from './en.ts'

export let words: Words = en

export async function loadWords(): Promise<void> {
  if (language === 'de') words = (await import('./de.ts')).de
}
