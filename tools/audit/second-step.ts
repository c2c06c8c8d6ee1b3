/** The second step of a sign-in, with a code: a passkey needs a browser. */
import { Stop } from '../command.ts'

/** The ways to answer the second step that can be typed. */
const codes = { totp: 'a code of the authenticator app', recovery_code: 'a recovery code' }
export type CodeKind = keyof typeof codes

/** What the service says in `second_factor_required`. */
export interface SecondStep {
  factor_token: string
  factors: readonly string[]
}

/**
 * @param url the service
 * @throws {Stop} for an account that has a passkey alone
 */
export function codeKindsOf({ factors }: SecondStep, url: string): CodeKind[] {
  const kinds = factors.filter((kind): kind is CodeKind => Object.hasOwn(codes, kind))
  if (kinds.length > 0) return kinds
  throw new Stop(
    `This account has a passkey alone, which only a browser can use. Add an authenticator app or make new recovery codes at ${url}/account.`,
  )
}

export function nameCodes(kinds: readonly CodeKind[]): string {
  return kinds.map((kind) => codes[kind]).join(' or ')
}

/** The proof for `POST /auth/second-factor`. Of two kinds, a code of six digits is the one of the app. */
export function proofOf(code: string, kinds: readonly CodeKind[]): Partial<Record<CodeKind, string>> {
  const [kind, other] = kinds
  if (kind && !other) return { [kind]: code }
  return /^(\s*\d){6}\s*$/.test(code) ? { totp: code } : { recovery_code: code }
}
