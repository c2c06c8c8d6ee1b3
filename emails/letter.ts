/** Whose product an email is about. */
export interface Brand {
  productName: string
  /** An origin without a trailing slash. Emails link to it, and to the support, and nowhere else. */
  publicUrl: string
  /** Where people reach whoever runs the service: `mailto:` or `https:`. Null when the operator named no contact. */
  supportUrl: string | null
}

/**
 * An email before it is laid out. HTML and plain text are both made from this, so neither can say what the other does not.
 * Everything here is plain text: `frame.ts` escapes it, and nothing is ever markup.
 */
export interface Letter {
  subject: string
  /** What an inbox shows after the subject. */
  preheader: string
  heading: string
  blocks: readonly Block[]
}

export type Block = Paragraph | Button | Facts | Note

interface Paragraph {
  kind: 'paragraph'
  text: string
}

interface Button {
  kind: 'button'
  label: string
  url: string
}

interface Facts {
  kind: 'facts'
  facts: readonly Fact[]
}

interface Note {
  kind: 'note'
  text: string
  link?: Link | undefined
}

export interface Link {
  label: string
  url: string
}

export type Fact = readonly [label: string, value: string]

export function paragraph(text: string): Paragraph {
  return { kind: 'paragraph', text }
}

/** The one thing to do. The address is also shown as text, for clients that draw no button. */
export function button(label: string, url: string): Button {
  return { kind: 'button', label, url }
}

export function facts(facts: readonly Fact[]): Facts {
  return { kind: 'facts', facts }
}

/** What to do if it was not the owner. */
export function note(text: string, link?: Link): Note {
  return { kind: 'note', text, link }
}
