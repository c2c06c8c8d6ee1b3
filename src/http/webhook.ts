import { createMiddleware } from 'hono/factory'
import { isSigned } from '../crypto/webhook-signature.ts'
import { AppError } from '../errors.ts'
import { readBody } from './body.ts'
import type { HttpEnv } from './env.ts'

/**
 * Requires a recent signature of Resend. It covers the raw body, so it is checked before the body is parsed.
 *
 * @throws {AppError} `not_found` without a webhook secret; `invalid_credentials` for any fault of the signature
 */
export const signedByResend = createMiddleware<HttpEnv>(async function signedByResend(c, next) {
  const { secrets, now } = c.get('ctx')
  if (!secrets.resendWebhookKey) throw new AppError('not_found')
  const message = {
    id: c.req.header('svix-id'),
    timestamp: c.req.header('svix-timestamp'),
    signatures: c.req.header('svix-signature'),
    body: new Uint8Array(await readBody(c.req)),
  }
  if (!(await isSigned(secrets.resendWebhookKey, message, now()))) {
    throw new AppError('invalid_credentials', { reason: 'webhook_signature' })
  }
  await next()
})
