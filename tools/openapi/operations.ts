/** The prose about every operation, in reading order. */
import { accountOperations } from './operations/accounts.ts'
import { administrationOperations } from './operations/administration.ts'
import { factorOperations } from './operations/factors.ts'
import { mailOperations } from './operations/mail.ts'
import { meOperations } from './operations/me.ts'
import { ownPasskeyOperations, passkeySignInOperations } from './operations/passkeys.ts'
import { serviceOperations } from './operations/service.ts'
import { tokenOperations } from './operations/tokens.ts'
import type { Operations } from './prose.ts'

export const operations: Operations = {
  ...accountOperations,
  ...passkeySignInOperations,
  ...tokenOperations,
  ...meOperations,
  ...factorOperations,
  ...ownPasskeyOperations,
  ...administrationOperations,
  ...mailOperations,
  ...serviceOperations,
}
