import { randomBytes } from 'node:crypto'

/** Somebody new at each run, so that runs never meet each other's data. */
export interface Person {
  email: string
  password: string
}

export function newPerson(): Person {
  return { email: `ada.${randomBytes(5).toString('hex')}@example.com`, password: newPassword() }
}

export function newPassword(): string {
  return `demo ${randomBytes(9).toString('base64url')}`
}
