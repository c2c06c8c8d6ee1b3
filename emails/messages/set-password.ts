import { formatInstant } from '../instant.ts'
import type { Brand, Letter } from '../letter.ts'

/** An administrator activated the account and could not tell whose password was right, so it has none yet. */
export function setPassword({ link, expiresAt }: { link: string; expiresAt: Date }, { productName }: Brand): Letter {
  const until = formatInstant(expiresAt)
  return {
    subject: `Choose a password for ${productName}`,
    preheader: `Your account is active. The link works until ${until}.`,
    heading: 'Choose your password',
    blocks: [
      {
        kind: 'paragraph',
        text: `An administrator has activated your ${productName} account. Choose a password, and you can sign in.`,
      },
      { kind: 'paragraph', text: `The link works once, until ${until}.` },
      { kind: 'button', label: 'Choose a password', url: link },
      {
        kind: 'note',
        text: 'Did you never register? Then ignore this mail: without a password nobody can sign in to the account.',
      },
    ],
  }
}
