import { formatInstant } from '../instant.ts'
import type { Brand, Letter } from '../letter.ts'
import { resetPage } from '../reset-page.ts'
import { type Whereabouts, whereaboutsFacts } from '../whereabouts.ts'

/** After a change or a reset: the owner learns of it, and what to do about a stranger. */
export function passwordChanged({ at, from }: { at: Date; from: Whereabouts }, brand: Brand): Letter {
  const { productName } = brand
  return {
    subject: `Your ${productName} password was changed`,
    preheader: 'Was it you? Then there is nothing to do.',
    heading: 'Your password was changed',
    blocks: [
      {
        kind: 'paragraph',
        text: `Your ${productName} account has a new password, and other devices were signed out. If that was you, there is nothing more to do.`,
      },
      { kind: 'facts', facts: [['When', formatInstant(at)], ...whereaboutsFacts(from)] },
      {
        kind: 'note',
        text: 'Was it not you? Then somebody else may be in your account. Set a new password now: that signs everybody else out.',
        link: { label: 'Set a new password', url: resetPage(brand) },
      },
    ],
  }
}
