import type { Brand, Letter } from '../letter.ts'
import { resetPage } from '../reset-page.ts'

/** To the owner of an address that somebody tried to register again. Whoever tried learns nothing from the answer. */
export function accountExists(brand: Brand): Letter {
  const { productName } = brand
  return {
    subject: `You already have a ${productName} account`,
    preheader: 'Somebody tried to register with your address. Nothing was changed.',
    heading: 'You already have an account',
    blocks: [
      {
        kind: 'paragraph',
        text: `Somebody, perhaps you, just tried to register at ${productName} with this address. It already has an account, so nothing was changed.`,
      },
      {
        kind: 'paragraph',
        text: 'If it was you, sign in with the password you have. If you no longer know it, choose a new one:',
      },
      { kind: 'button', label: 'Set a new password', url: resetPage(brand) },
      {
        kind: 'note',
        text: 'Was it not you? Then there is nothing to do. Your account and your password are as they were, and nobody was told that you have an account.',
      },
    ],
  }
}
