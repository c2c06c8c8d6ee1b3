/** The id by which a request is found in the log and in the audit trail: the client's own, or ours. */
import { bytesOfUuid, isUuid, uuidOfBytes } from './crypto/random.ts'

const allowed = /^[A-Za-z0-9._-]{1,36}$/

/** No longer than a UUID, and harmless in logs and headers. */
export function isRequestId(text: string): boolean {
  return allowed.test(text)
}

/**
 * As the database keeps it: 16 bytes for a UUID in lower case, otherwise the bytes of the text. A text of 16 characters
 * gets a zero byte at its end, so that it is not read as a UUID.
 */
export function bytesOfRequestId(text: string): Uint8Array<ArrayBuffer> {
  if (isUuid(text)) return bytesOfUuid(text)
  return Uint8Array.from(new TextEncoder().encode(text.length === 16 ? `${text}\0` : text))
}

export function requestIdOfBytes(bytes: Uint8Array): string {
  return bytes.length === 16 ? uuidOfBytes(bytes) : new TextDecoder().decode(bytes).replace('\0', '')
}
