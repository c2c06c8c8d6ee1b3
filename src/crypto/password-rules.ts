/** The rules for a new password, shared by the API and by the page that shows the verdict in advance. */

/** zxcvbn's "safely unguessable": more than 10^8 guesses, which suffices for a slow hash. */
export const minScore = 3

/** The longest password, in code points (NIST SP 800-63B-4 §3.1.1.2 asks for at least 64). */
export const passwordMaxLength = 128

export interface KnownAs {
  email: string
  firstName?: string | null | undefined
  lastName?: string | null | undefined
}

/** The length in code points, the same for every Unicode form that a keyboard may produce. */
export function lengthOf(password: string): number {
  return Array.from(password.normalize('NFC')).length
}

/**
 * The words that an attacker who knows the person would try first, whole and in parts: Anna-Lena at acme.example must
 * not use "lena" or "acme".
 */
export function knownWords(productName: string, { email, firstName, lastName }: KnownAs): string[] {
  const localPart = email.slice(0, email.lastIndexOf('@'))
  const fullName = firstName && lastName ? [`${firstName} ${lastName}`, `${lastName} ${firstName}`] : []
  const whole = [email, localPart, firstName, lastName, ...fullName, productName, 'postern'].filter(
    (word) => !!word,
  ) as string[]
  const parts = whole.flatMap((word) => word.split(/[^\p{L}\p{N}]+/u))
  return [...new Set([...whole, ...parts].map((word) => word.toLowerCase()))].filter((word) => word.length > 2)
}
