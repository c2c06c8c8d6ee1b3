import { formatInstant } from '../instant.ts'
import type { Brand, Letter } from '../letter.ts'
import { resetPage } from '../reset-page.ts'
import { type Whereabouts, whereaboutsFacts } from '../whereabouts.ts'

/** A series of wrong passwords. Whoever owns the mailbox may be the one who forgot theirs, so a reset is what helps both. */
export function signInAttempts({ at, from }: { at: Date; from: Whereabouts }, brand: Brand): Letter {
  const { productName } = brand
  return {
    subject: `Wrong passwords for your ${productName} account`,
    preheader: 'Somebody tried several, one after the other. Nobody got in.',
    heading: 'Somebody tried wrong passwords',
    blocks: [
      {
        kind: 'paragraph',
        text: `Several wrong passwords in a row were tried for your ${productName} account. Nobody got in, and each further try now has to wait.`,
      },
      { kind: 'facts', facts: [['Last try', formatInstant(at)], ...whereaboutsFacts(from)] },
      {
        kind: 'note',
        text: 'Was it you, or do you use this password elsewhere? Then set a new one: that also ends the waiting.',
        link: { label: 'Set a new password', url: resetPage(brand) },
      },
    ],
  }
}
