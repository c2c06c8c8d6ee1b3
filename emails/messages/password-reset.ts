import { formatInstant } from '../instant.ts'
import type { Brand, Letter } from '../letter.ts'
import { type Whereabouts, whereaboutsFacts } from '../whereabouts.ts'

interface PasswordReset {
  link: string
  expiresAt: Date
  from: Whereabouts
}

/** The link to choose a new password, and where the wish came from. */
export function passwordReset({ link, expiresAt, from }: PasswordReset, { productName }: Brand): Letter {
  const until = formatInstant(expiresAt)
  const facts = whereaboutsFacts(from)
  return {
    subject: `Set a new password for ${productName}`,
    preheader: `The link works until ${until}. If you did not ask for it, ignore this mail.`,
    heading: 'Set a new password',
    blocks: [
      {
        kind: 'paragraph',
        text: `Somebody, hopefully you, asked for a new password for your ${productName} account.`,
      },
      {
        kind: 'paragraph',
        text: `The link works once, until ${until}. A new password signs you out on every device.`,
      },
      { kind: 'button', label: 'Set a new password', url: link },
      ...(facts.length > 0 ? [{ kind: 'facts' as const, facts }] : []),
      {
        kind: 'note',
        text: 'Was it not you? Then ignore this mail: your password stays as it is. Please do not forward it, since the link opens your account.',
      },
    ],
  }
}
