import type { Ctx } from '../../context.ts'
import { breachCacheSeconds } from '../../config/policy.ts'
import { sha1Hex } from '../../crypto/digest.ts'
import { AppError, unavailable } from '../../errors.ts'
import { describeError, log } from '../../log.ts'
import { OutgoingError } from '../../providers/outgoing.ts'
import { fetchRange, isInRange, rangeUrl } from '../../providers/pwned-passwords.ts'

/**
 * Refuses a password that is on the list of breached ones (NIST SP 800-63B-4 §3.1.1.2). Without an answer the password
 * is accepted and that is logged, unless the operator requires the check: then no password can be set while the list is
 * unavailable.
 *
 * @param pointer the field of the request with the password
 * @throws {AppError} `weak_password`; `service_unavailable` when there is no answer and the check is required
 */
export async function assertNotBreached(ctx: Ctx, password: string, pointer: string): Promise<void> {
  const { pwnedPasswordsUrl, requiresBreachCheck } = ctx.config
  if (pwnedPasswordsUrl === null) return
  const sha1 = await sha1Hex(password)
  let range: string
  try {
    range = await rangeAt(ctx, pwnedPasswordsUrl, sha1)
  } catch (error) {
    log('warn', 'password.breach_check_failed', {
      request_id: ctx.origin.requestId,
      accepted: !requiresBreachCheck,
      reason: error instanceof OutgoingError ? error.reason : 'no_answer',
      ...describeError(error),
    })
    if (requiresBreachCheck) throw unavailable('pwned_passwords', error)
    return
  }
  if (isInRange(range, sha1)) {
    const message =
      'This password is known from a data breach, so it is among the first that attackers try. Choose another one here, and wherever else you use it.'
    throw new AppError('weak_password', { errors: [{ pointer, code: 'breached', message }] })
  }
}

async function rangeAt(ctx: Ctx, serviceUrl: string, sha1: string): Promise<string> {
  const url = rangeUrl(serviceUrl, sha1)
  // The keys of Cloudflare's cache have to be under the Worker's own hostname.
  const key = `${ctx.config.publicUrl}/${url}`
  const cached = await readCache(key)
  if (cached !== undefined) return cached
  const range = await fetchRange(serviceUrl, url)
  ctx.defer(writeCache(key, range))
  return range
}

async function readCache(key: string): Promise<string | undefined> {
  try {
    return await (await caches.default.match(key))?.text()
  } catch (error) {
    log('warn', 'password.breach_cache_failed', describeError(error))
    return undefined
  }
}

async function writeCache(key: string, range: string): Promise<void> {
  try {
    await caches.default.put(
      key,
      new Response(range, { headers: { 'Cache-Control': `max-age=${breachCacheSeconds}` } }),
    )
  } catch (error) {
    log('warn', 'password.breach_cache_failed', describeError(error))
  }
}
