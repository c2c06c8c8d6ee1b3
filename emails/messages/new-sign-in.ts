import { formatInstant } from '../instant.ts'
import type { Brand, Letter } from '../letter.ts'
import { resetPage } from '../reset-page.ts'
import { type Whereabouts, whereaboutsFacts } from '../whereabouts.ts'

/** A sign-in from a device and a place that the account has not been used from before. */
export function newSignIn({ at, from }: { at: Date; from: Whereabouts }, brand: Brand): Letter {
  const { productName } = brand
  return {
    subject: `New sign-in to your ${productName} account`,
    preheader: 'From a device and a place we had not seen before.',
    heading: 'New sign-in to your account',
    blocks: [
      {
        kind: 'paragraph',
        text: `Somebody signed in to your ${productName} account with the right password, from a device and a place we had not seen before.`,
      },
      { kind: 'facts', facts: [['When', formatInstant(at)], ...whereaboutsFacts(from)] },
      {
        kind: 'note',
        text: 'If it was you, there is nothing to do. If not, set a new password now: that signs everybody out, on every device.',
        link: { label: 'Set a new password', url: resetPage(brand) },
      },
    ],
  }
}
