import type { Brand, Letter } from '../letter.ts'
import { plainLine } from '../plain-text.ts'

/** Longer than any reason that the API takes; the mail stays readable whatever comes. */
const maxReasonLength = 1000

/** A moderator closed the account for now. The reason is quoted as given. */
export function accountSuspended({ reason }: { reason: string }, { productName }: Brand): Letter {
  return {
    subject: `Your ${productName} account was suspended`,
    preheader: 'You were signed out. This mail says why.',
    heading: 'Your account was suspended',
    blocks: [
      {
        kind: 'paragraph',
        text: `Your ${productName} account was suspended. You were signed out on every device and cannot sign in for now.`,
      },
      { kind: 'facts', facts: [['Reason', plainLine(reason, maxReasonLength) || 'None was given.']] },
      {
        kind: 'note',
        text: `Do you think this is a mistake? Then please contact the people who run ${productName}. Nothing in your account was deleted.`,
      },
    ],
  }
}
