/** On whose behalf a mail is written. */
export interface Brand {
  productName: string
  /** An origin without a trailing slash; the only place that a mail links to. */
  publicUrl: string
}

/**
 * One mail before it is laid out. HTML and plain text are both made from this, so neither can say what the other does not.
 * Everything here is plain text: `frame.tsx` escapes it, and nothing is ever markup.
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

/** The one thing to do. The address is also shown as text, for clients that draw no button. */
interface Button {
  kind: 'button'
  label: string
  url: string
}

interface Facts {
  kind: 'facts'
  facts: readonly Fact[]
}

/** What to know or do in the other case, mostly "if it was not you". */
interface Note {
  kind: 'note'
  text: string
  link?: { label: string; url: string }
}

export type Fact = readonly [label: string, value: string]
