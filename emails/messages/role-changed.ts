import type { Brand, Letter } from '../letter.ts'

const roleNames = { USER: 'User', MODERATOR: 'Moderator', ADMIN: 'Administrator' } as const

export type Role = keyof typeof roleNames

/** An administrator gave the account another role, which also ended its sessions. */
export function roleChanged({ role }: { role: Role }, { productName }: Brand): Letter {
  return {
    subject: `Your role at ${productName} was changed`,
    preheader: `Your new role is ${roleNames[role]}. Please sign in again.`,
    heading: 'You have a new role',
    blocks: [
      {
        kind: 'paragraph',
        text: `An administrator has changed the role of your ${productName} account. You were signed out on every device: sign in again, and the new role applies.`,
      },
      { kind: 'facts', facts: [['New role', roleNames[role]]] },
      {
        kind: 'note',
        text: `Did you not expect this? Then please ask the people who run ${productName}.`,
      },
    ],
  }
}
