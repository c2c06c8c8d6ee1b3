import { base64url } from 'jose'

/**
 * The bytes of a text in base64url (RFC 4648 §5), in any spelling: padded, or with other bits after the last byte.
 * Where one value must have one spelling, encode the bytes again and compare.
 *
 * @returns `undefined` for a text that is not base64url
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    // A copy whose type says that it is not shared memory: WebCrypto requires that.
    return new Uint8Array(base64url.decode(text))
  } catch {
    return undefined
  }
}
