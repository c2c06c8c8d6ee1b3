import { formatInstant } from '../instant.ts'
import type { Brand, Letter } from '../letter.ts'
import { type Whereabouts, whereaboutsFacts } from '../whereabouts.ts'

interface PasswordReset {
  link: string
  expiresAt: Date
  /** Who asked: somebody, from somewhere, or an administrator, whose whereabouts are nobody's business. */
  from: Whereabouts | 'administrator'
}

/** The link to choose a new password, and where the wish came from. */
export function passwordReset({ link, expiresAt, from }: PasswordReset, { productName }: Brand): Letter {
  const until = formatInstant(expiresAt)
  const facts = from === 'administrator' ? [] : whereaboutsFacts(from)
  const words = from === 'administrator' ? byAdministrator : bySomebody
  return {
    subject: `Set a new password for ${productName}`,
    preheader: `The link works until ${until}. ${words.preheader}`,
    heading: 'Set a new password',
    blocks: [
      { kind: 'paragraph', text: `${words.who} a new password for your ${productName} account.` },
      {
        kind: 'paragraph',
        text: `The link works once, until ${until}. A new password signs you out on every device.`,
      },
      { kind: 'button', label: 'Set a new password', url: link },
      ...(facts.length > 0 ? [{ kind: 'facts' as const, facts }] : []),
      { kind: 'note', text: `${words.otherwise} Please do not forward it, since the link opens your account.` },
    ],
  }
}

const bySomebody = {
  preheader: 'If you did not ask for it, ignore this mail.',
  who: 'Somebody, hopefully you, asked for',
  otherwise: 'Was it not you? Then ignore this mail: your password stays as it is.',
}

const byAdministrator = {
  preheader: 'Until you use it, your password stays as it is.',
  who: 'An administrator asks you to choose',
  otherwise: 'Until you do, your password stays as it is. No administrator sees this mail or what you choose.',
}
