import type { Brand } from './letter.ts'

/** The page where anyone can ask for a mail to set a new password. */
export function resetPage({ publicUrl }: Brand): string {
  return `${publicUrl}/reset-password`
}
