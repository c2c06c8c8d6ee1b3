/** Every word of the emails, in English. */
import type { Brand } from '../../letter.ts'
import { accountLetters } from './account.ts'
import { factorLetters } from './factors.ts'
import { securityLetters } from './security.ts'

export const en = {
  frame: {
    language: 'en',
    footer: ({ productName }: Brand) =>
      `You received this email because of a ${productName} account with your address. We never ask for your password by email.`,
    withoutButton: 'If the button does not work, copy this address into your browser:',
  },
  letters: { ...accountLetters, ...securityLetters, ...factorLetters },
}
