import { type Part, isMacOf, macData } from './data-keys.ts'
import type { KeyRing, SecretKey } from './keys.ts'
import { bytesOfUuid } from './random.ts'

/** What makes a credential a passkey of an account. */
export interface OwnedCredential {
  userId: string
  credentialId: Uint8Array
  /** A COSE_Key. */
  publicKey: Uint8Array
}

/**
 * Binds a credential to its account. Somebody who can write to the database, but has no secret, can neither add a
 * passkey to an account, nor move one to another account, nor exchange its key.
 */
export function bindPasskey(keys: readonly [SecretKey, ...unknown[]], credential: OwnedCredential): Promise<string> {
  return macData(keys, 'passkey-binding', partsOf(credential))
}

/** Whether `bindPasskey` made the binding for this credential and account. */
export function isBoundPasskey(
  keys: KeyRing<SecretKey>,
  credential: OwnedCredential & { binding: string },
): Promise<boolean> {
  return isMacOf(keys, 'passkey-binding', partsOf(credential), credential.binding)
}

function partsOf({ userId, credentialId, publicKey }: OwnedCredential): Part[] {
  return [bytesOfUuid(userId), credentialId, publicKey]
}
