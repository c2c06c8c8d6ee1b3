import type { Brand } from './letter.ts'

/** Why the mail came, and the one rule that outlives every phishing wave. */
export function footer({ productName }: Brand): string {
  return `Sent by ${productName} because of an account with this e-mail address. We never ask for your password by mail.`
}
