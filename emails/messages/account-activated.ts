import type { Brand, Letter } from '../letter.ts'
import { resetPage } from '../reset-page.ts'

/** The account can be used now, whoever activated it. */
export function accountActivated(brand: Brand): Letter {
  const { productName } = brand
  return {
    subject: `Your ${productName} account is active`,
    preheader: 'You can sign in now.',
    heading: 'Your account is active',
    blocks: [
      {
        kind: 'paragraph',
        text: `Your ${productName} account is ready. From now on you can sign in with this e-mail address and your password.`,
      },
      {
        kind: 'note',
        text: 'Was it not you? Then set a new password: that signs everybody else out and leaves the account to you.',
        link: { label: 'Set a new password', url: resetPage(brand) },
      },
    ],
  }
}
