import { uuidOfBytes } from '../random.ts'
import { readCbor } from './cbor.ts'
import type { Expectation } from './client-data.ts'
import { type Bytes, demand } from './malformed.ts'

/** WebAuthn Level 3 §6.1. */
const flags = { userPresent: 1, userVerified: 4, backupEligible: 8, backedUp: 16, attested: 64, extended: 128 }

/** WebAuthn Level 3 §4, "Credential ID". */
const maxCredentialIdBytes = 1023

export interface AuthenticatorData {
  isUserVerified: boolean
  /** Whether the credential may be synced. */
  isBackupEligible: boolean
  isBackedUp: boolean
  signCount: number
  /** In a registration only. */
  attested: AttestedCredential | undefined
}

export interface AttestedCredential {
  /** The model of the authenticator; zeros when it does not say. */
  aaguid: string
  credentialId: Bytes
  /** A COSE_Key, as the authenticator wrote it. */
  publicKey: Bytes
}

/**
 * Reads authenticator data (WebAuthn Level 3 §6.1), and checks what both ceremonies ask of it (§7.1, §7.2).
 *
 * @throws {Malformed} for the hash of another RP ID, a user who was not present or not verified, a backup state without
 *   backup eligibility, and trailing bytes
 */
export async function readAuthenticatorData(
  bytes: Bytes,
  { rpId, userVerification }: Pick<Expectation, 'rpId' | 'userVerification'>,
): Promise<AuthenticatorData> {
  demand(bytes.length >= 37)
  const rpIdHash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(rpId)))
  demand(rpIdHash.every((byte, place) => byte === bytes[place]))
  const has = (flag: number) => (bytes[32]! & flag) !== 0
  demand(has(flags.userPresent) && (has(flags.userVerified) || userVerification === 'preferred'))
  demand(has(flags.backupEligible) || !has(flags.backedUp))

  let end = 37
  let attested: AttestedCredential | undefined
  if (has(flags.attested)) ({ attested, end } = readAttested(bytes, end))
  if (has(flags.extended)) {
    const { value, end: endOfAll } = readCbor(bytes, end)
    demand(value instanceof Map)
    end = endOfAll
  }
  demand(end === bytes.length)
  return {
    isUserVerified: has(flags.userVerified),
    isBackupEligible: has(flags.backupEligible),
    isBackedUp: has(flags.backedUp),
    signCount: new DataView(bytes.buffer, bytes.byteOffset).getUint32(33),
    attested,
  }
}

function readAttested(bytes: Bytes, start: number): { attested: AttestedCredential; end: number } {
  const idStart = start + 18
  demand(bytes.length >= idStart)
  const idLength = (bytes[idStart - 2]! << 8) | bytes[idStart - 1]!
  const keyStart = idStart + idLength
  demand(idLength > 0 && idLength <= maxCredentialIdBytes && bytes.length > keyStart)
  const { end } = readCbor(bytes, keyStart)
  const attested = {
    aaguid: uuidOfBytes(bytes.subarray(start, start + 16)),
    credentialId: bytes.slice(idStart, keyStart),
    publicKey: bytes.slice(keyStart, end),
  }
  return { attested, end }
}
