import type { Ctx } from '../../context.ts'
import { sha256 } from '../../crypto/digest.ts'
import { deviceTokenSeconds } from '../../config/policy.ts'
import { signToken, verifyToken } from '../../crypto/tokens.ts'

/** A device that signed in with an address before. */
export interface Device {
  id: string
  /** The password it signed in with, see `passwordIdOf`. The device is known until the password changes. */
  passwordId: string
}

/**
 * Recognizes a device that signed in with this address before. The token is no credential: it only gives the device its
 * own budget of wrong passwords, so that a stranger who uses up the shared one does not lock the owner out (OWASP
 * Authentication Cheat Sheet, "device cookies"). The caller has to check in the database that the password is still the
 * one of the token: anybody who knew an old password would otherwise keep a budget.
 *
 * @returns `undefined` for an unknown device, and for a device of another address
 */
export async function readDevice(
  ctx: Ctx,
  email: string,
  deviceToken: string | undefined,
): Promise<Device | undefined> {
  if (deviceToken === undefined) return undefined
  const verified = await verifyToken(ctx.tokens, 'device+jwt', deviceToken, ctx.now())
  if (verified.kind === 'refused' || verified.claims.email_sha256 !== (await sha256(email))) return undefined
  return { id: verified.claims.jti, passwordId: verified.claims.password_id }
}

/** A device that is seen for the first time. */
export function newDevice(passwordId: string): Device {
  return { id: crypto.randomUUID(), passwordId }
}

/** Signs a new token at each sign-in. The device keeps its id, and with it its budget. */
export async function issueDeviceToken(ctx: Ctx, email: string, { id, passwordId }: Device): Promise<string> {
  const now = ctx.now()
  const claims = { jti: id, email_sha256: await sha256(email), password_id: passwordId }
  return signToken(ctx.tokens, 'device+jwt', claims, now, new Date(now.getTime() + deviceTokenSeconds * 1000))
}
