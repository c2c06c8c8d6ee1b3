import { createMiddleware } from 'hono/factory'
import { isSigned } from '../crypto/webhook-signature.ts'
import { AppError } from '../errors.ts'
import { readBody } from './body.ts'
import type { HttpEnv } from './env.ts'

/**
 * Lets in what Resend has signed just now. The raw body is signed, so nothing has read it before.
 *
 * @throws {AppError} `not_found` when there is no secret to verify by; `invalid_credentials`, whatever is wrong
 */
export const signedByResend = createMiddleware<HttpEnv>(async function signedByResend(c, next) {
  const { secrets, now } = c.get('ctx')
  if (!secrets.resendWebhookKey) throw new AppError('not_found')
  const message = {
    id: c.req.header('svix-id'),
    timestamp: c.req.header('svix-timestamp'),
    signatures: c.req.header('svix-signature'),
    body: new Uint8Array(await readBody(c)),
  }
  if (!(await isSigned(secrets.resendWebhookKey, message, now()))) {
    throw new AppError('invalid_credentials', { reason: 'webhook_signature' })
  }
  await next()
})
