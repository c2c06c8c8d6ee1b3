/** Replaces random values in answers by stable ones, so that examples change only when the service does. */
import { base64url } from 'jose'

const idPattern = /\b[0-9a-f]{8}-[0-9a-f]{4}-([47])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/g
/** A cursor is eight characters that depend on ids, and an id or an address, in base64url. */
const cursorPattern = /(?<="next_cursor":")[\w-]+/g
/** A digest of something that has an id in it. */
const digestPattern = /(?<="(?:digest|sha256|previous)":")[\w-]{43}/g
/** What authenticators make, and the challenges that they answer. */
const passkeyPattern =
  /(?<="(?:challenge|challenge_token|clientDataJSON|authenticatorData|attestationObject|signature|userHandle)":")[\w-]+/g
/** The id of a credential or of a user, in base64url. */
const credentialIdPattern = /(?<="(?:id|rawId)":")(?:[\w-]{43}|[\w-]{22})(?=")/g
/** A sealed value: the id of a key, and random bytes. */
const sealedPattern = /(?<="setup_token":")[\w.-]+/g
const seedPattern = /(?<="secret":"|[?]secret=)[A-Z2-7]{32}/g
const totpPattern = /(?<="code":")\d{6}(?=")/g
const recoveryCodePattern = /(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}/g
const jwtPattern = /\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g

const decode = (part: string): string => new TextDecoder().decode(base64url.decode(part))

/** Gives a function that remembers: equal ids and equal tokens stay equal. */
export function createNormalizer(): <T>(value: T) => T {
  const ids = new Map<string, string>()

  function stableId(id: string, version: string): string {
    let stable = ids.get(id)
    if (stable === undefined) {
      const number = ids.size + 1
      const digits = (length: number, factor: number) =>
        ((number * factor) % 16 ** length).toString(16).padStart(length, '0')
      const time = version === '7' ? id.slice(0, 13) : `${digits(8, 2654435761)}-${digits(4, 40503)}`
      stable = `${time}-${version}${digits(3, 2749)}-a${digits(3, 3571)}-${digits(12, 181080213197161)}`
      ids.set(id, stable)
    }
    return stable
  }

  /** Looks like one, and never changes. */
  function stableRecoveryCode(code: string): string {
    const known = ids.get(code) ?? '7GQ2-M4ZX-9KTB-0DWR-5HVC-8JN'.concat(String(ids.size % 10))
    ids.set(code, known)
    return known
  }

  /** Keeps the header and the claims, without a signature. */
  function stableToken(token: string): string {
    const [header, claims] = token.split('.').map(decode)
    return [header!, text(claims!), 'not a signature, only an example'].map((part) => base64url.encode(part)).join('.')
  }

  function text(value: string): string {
    return value
      .replaceAll(jwtPattern, stableToken)
      .replaceAll(cursorPattern, (cursor) => base64url.encode(`8letters${text(decode(cursor).slice(8))}`))
      .replaceAll(digestPattern, '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU')
      .replaceAll(passkeyPattern, (bytes) => 'example-'.repeat(6).slice(0, bytes.length).slice(0, 43))
      .replaceAll(credentialIdPattern, (bytes) => 'credential-'.repeat(4).slice(0, bytes.length))
      .replaceAll(sealedPattern, 'data-2026.c2VhbGVkLWZvci15.bm90IGEgc2VlZCwgb25seSBhbiBleGFtcGxl')
      .replaceAll(seedPattern, 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP')
      .replaceAll(totpPattern, '492039')
      .replaceAll(recoveryCodePattern, stableRecoveryCode)
      .replaceAll(idPattern, stableId)
  }

  return (value) => JSON.parse(text(JSON.stringify(value)))
}
