import { formatInstant } from '../instant.ts'
import type { Brand, Letter } from '../letter.ts'

/** To an address that registered: the link, and which password goes with it. */
export function activation({ link, expiresAt }: { link: string; expiresAt: Date }, { productName }: Brand): Letter {
  const until = formatInstant(expiresAt)
  return {
    subject: `Activate your ${productName} account`,
    preheader: `One step left. The link works until ${until}.`,
    heading: 'Activate your account',
    blocks: [
      {
        kind: 'paragraph',
        text: `Welcome to ${productName}! One step is left: please confirm that this address is yours.`,
      },
      {
        kind: 'paragraph',
        text: 'Open the link and enter the password you chose when you registered. Your account is then active.',
      },
      { kind: 'paragraph', text: `The link works once, until ${until}.` },
      { kind: 'button', label: 'Activate account', url: link },
      {
        kind: 'note',
        text: 'Was it not you who registered? Then please ignore this mail. Without it the account stays inactive, and we soon delete it.',
      },
    ],
  }
}
