import type { Context } from '../context.ts'
import { sha256 } from '../crypto/digest.ts'
import { signInternalToken, verifyInternalToken } from '../crypto/tokens.ts'

/** A device that nobody signed in from for half a year is a stranger again. */
const deviceTokenMs = 180 * 24 * 60 * 60 * 1000

/**
 * Recognises a device that this address signed in from before. It proves nothing but that, and is no credential: it gives
 * its holder a budget of wrong passwords apart from everybody else's, so that a stranger who uses up theirs does not lock
 * the owner out (OWASP Authentication Cheat Sheet, "device cookies").
 *
 * @returns the id of the device; `undefined` for an unknown one, and for another address's
 */
export async function knownDevice(
  ctx: Context,
  email: string,
  deviceToken: string | undefined,
): Promise<string | undefined> {
  if (deviceToken === undefined) return undefined
  const claims = await verifyInternalToken(ctx.internalTokens, 'device+jwt', deviceToken, ctx.now())
  return claims && claims.email_sha256 === (await sha256(email)) ? claims.jti : undefined
}

/** Made new at each sign-in; the device keeps its id and so its budget. */
export async function issueDeviceToken(
  ctx: Context,
  email: string,
  deviceId: string = crypto.randomUUID(),
): Promise<string> {
  const now = ctx.now()
  const claims = { jti: deviceId, email_sha256: await sha256(email) }
  return signInternalToken(ctx.internalTokens, 'device+jwt', claims, now, new Date(now.getTime() + deviceTokenMs))
}
