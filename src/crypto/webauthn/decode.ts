import { decodeBase64url } from '../base64url.ts'
import { type Bytes, demand } from './malformed.ts'

/** @throws {Malformed} for a text that is not base64url */
export function decode(text: string): Bytes {
  const bytes = decodeBase64url(text)
  demand(bytes !== undefined)
  return bytes
}
