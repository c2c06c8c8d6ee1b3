import type { Brand, Letter } from '../letter.ts'

/** The last mail an account gets. */
export function accountDeleted({ productName }: Brand): Letter {
  return {
    subject: `Your ${productName} account was deleted`,
    preheader: 'Your profile and every session are gone.',
    heading: 'Your account was deleted',
    blocks: [
      {
        kind: 'paragraph',
        text: `Your ${productName} account was deleted, with your profile and every session. It cannot be brought back, and you get no more mail about it.`,
      },
      { kind: 'paragraph', text: 'You are welcome to register again at any time. Thank you for having been here!' },
      {
        kind: 'note',
        text: `Did you not want this? Then please contact the people who run ${productName}, and check the passwords of your other accounts.`,
      },
    ],
  }
}
