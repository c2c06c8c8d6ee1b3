import type { Brand, Letter } from '../letter.ts'

/** The suspension is over. */
export function accountReinstated({ productName }: Brand): Letter {
  return {
    subject: `Your ${productName} account is open again`,
    preheader: 'The suspension is over.',
    heading: 'Your account is open again',
    blocks: [
      {
        kind: 'paragraph',
        text: `The suspension of your ${productName} account is over, and everything is as it was before.`,
      },
      { kind: 'paragraph', text: 'You were signed out in the meantime, so please sign in again.' },
    ],
  }
}
