import { renderHtml } from './frame.ts'
import type { Brand, Letter } from './letter.ts'
import { plainLine } from './plain-text.ts'
import { renderText } from './text.ts'
import { type Language, type Texts, catalogs } from './texts/languages.ts'
import type { Whereabouts } from './whereabouts.ts'

export type { Brand, Whereabouts }

export interface RenderedEmail {
  subject: string
  html: string
  text: string
}

type Letters = Texts['letters']

type DetailsOf<Write> = Write extends (brand: Brand, details: infer Details) => Letter ? Details : never

/** Every email there is, with what its letter needs. Names of people are in none, because nobody has proven them. */
export type Message = { [T in keyof Letters]: { template: T } & DetailsOf<Letters[T]> }[keyof Letters]

/**
 * Writes one email. The same input always gives the same bytes: a repetition under the same idempotency key must be the same
 * email.
 */
export function renderEmail(message: Message, brand: Brand, language: Language = 'en'): RenderedEmail {
  const { letters, frame } = catalogs[language]
  const { publicUrl, supportUrl } = brand
  const sender = { productName: plainLine(brand.productName, 60), publicUrl, supportUrl }
  // A template and its details belong together, which the compiler loses sight of.
  const write = letters[message.template] as (brand: Brand, details: Message) => Letter
  const letter = write(sender, message)
  return { subject: letter.subject, html: renderHtml(letter, sender, frame), text: renderText(letter, sender, frame) }
}
