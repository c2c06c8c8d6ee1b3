import type { Ctx } from '../../context.ts'
import { sha256 } from '../../crypto/digest.ts'
import { deviceTokenSeconds, signToken, verifyToken } from '../../crypto/tokens.ts'

/** A device that signed in to an address before. */
export interface Device {
  id: string
  /** The password it signed in with, see `passwordIdOf`. It is known for as long as that is the password. */
  passwordId: string
}

/**
 * Recognises a device that this address signed in from before. It proves nothing but that, and is no credential: it gives
 * its holder a budget of wrong passwords apart from everybody else's, so that a stranger who uses up theirs does not lock
 * the owner out (OWASP Authentication Cheat Sheet, "device cookies"). Whether the password is still the one that the device
 * knew, only the database can tell: whoever had an old one must not keep what it gave.
 *
 * @returns `undefined` for an unknown device, and for another address's
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

/** A device seen for the first time. */
export function newDevice(passwordId: string): Device {
  return { id: crypto.randomUUID(), passwordId }
}

/** Made new at each sign-in; the device keeps its id and so its budget. */
export async function issueDeviceToken(ctx: Ctx, email: string, { id, passwordId }: Device): Promise<string> {
  const now = ctx.now()
  const claims = { jti: id, email_sha256: await sha256(email), password_id: passwordId }
  return signToken(ctx.tokens, 'device+jwt', claims, now, new Date(now.getTime() + deviceTokenSeconds * 1000))
}
