import { randomBytes } from 'node:crypto'

/** New for each run, so that runs do not share data. */
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
