/** The texts of the links in emails about an address, in a catalog of their own so that no other page loads them. */
import { type Catalog, loadCatalog } from '../../texts/language.ts'
import { type Words, en } from './en.ts'

export let words: Words = en

export async function loadWords(): Promise<void> {
  words = await loadCatalog(import.meta.glob<Catalog<Words>>(['./*.ts', '!./en.ts', '!./words.ts']), en)
}
