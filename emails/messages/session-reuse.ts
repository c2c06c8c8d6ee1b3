import { formatInstant } from '../instant.ts'
import type { Brand, Letter } from '../letter.ts'
import { resetPage } from '../reset-page.ts'
import { type Whereabouts, whereaboutsFacts } from '../whereabouts.ts'

/** A refresh token came back after it had been replaced: two parties hold the same session, and one may be a thief. */
export function sessionReuse({ at, from }: { at: Date; from: Whereabouts }, brand: Brand): Letter {
  const { productName } = brand
  return {
    subject: `We ended a session of your ${productName} account`,
    preheader: 'Its key was used twice, so somebody may have copied it.',
    heading: 'We ended one of your sessions',
    blocks: [
      {
        kind: 'paragraph',
        text: `Somebody used an old key of a ${productName} session of yours that had already been replaced. That can be a device that kept an old copy, or a person who made one.`,
      },
      {
        kind: 'paragraph',
        text: 'To be safe we ended that session. To go on there, sign in again; your other devices stay signed in.',
      },
      { kind: 'facts', facts: [['When', formatInstant(at)], ...whereaboutsFacts(from)] },
      {
        kind: 'note',
        text: 'Do you not recognise this? Then set a new password: that signs everybody out, on every device.',
        link: { label: 'Set a new password', url: resetPage(brand) },
      },
    ],
  }
}
