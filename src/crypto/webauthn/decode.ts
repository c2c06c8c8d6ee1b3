import { base64url } from 'jose'
import type { Bytes } from './malformed.ts'

/** @throws {TypeError} for a text that is not base64url */
export function decode(text: string): Bytes {
  return new Uint8Array(base64url.decode(text))
}
