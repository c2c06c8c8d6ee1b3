import type { Ctx } from '../../context.ts'
import { AppError, type FieldError, unavailable } from '../../errors.ts'
import { describeError, log } from '../../log.ts'
import { type TurnstileAction, askTurnstile } from '../../providers/turnstile.ts'

/** What a Turnstile token says about the client. Always `human` where the operator does not use Turnstile. */
export type HumanCheck = 'human' | 'missing' | 'failed' | 'unavailable'

/** Verifies a Turnstile token, if the operator uses Turnstile. A token can be verified only once. */
export async function checkHuman(ctx: Ctx, token: string | undefined, action: TurnstileAction): Promise<HumanCheck> {
  const { turnstileSecret: secret } = ctx.secrets
  if (secret === null) return 'human'
  if (token === undefined) return 'missing'
  const verdict = await askTurnstile(ctx.config, secret, token, ctx.origin.ip, action)
  if (verdict.kind === 'human') return 'human'
  const { requestId } = ctx.origin
  if (verdict.kind === 'refused') {
    log('warn', 'turnstile.refused', { request_id: requestId, action, reason: verdict.reason })
    return 'failed'
  }
  const why = verdict.cause === undefined ? {} : describeError(verdict.cause)
  log('error', 'turnstile.unavailable', { request_id: requestId, action, reason: verdict.reason, ...why })
  return 'unavailable'
}

/**
 * Requires a solved challenge, before anything is looked up or hashed.
 *
 * @throws {AppError} as `notHuman`
 */
export async function assertHuman(ctx: Ctx, token: string | undefined, action: TurnstileAction): Promise<void> {
  const check = await checkHuman(ctx, token, action)
  if (check !== 'human') throw notHuman(check)
}

/**
 * The refusal of a client that did not prove to be human. When Turnstile does not answer it is a 503: an attacker must
 * gain nothing from an outage (OWASP ASVS 16.5.3), and the guarded requests can wait.
 */
export function notHuman(check: Exclude<HumanCheck, 'human'>): AppError {
  if (check === 'unavailable') return unavailable('turnstile')
  const error: Omit<FieldError, 'pointer'> =
    check === 'missing'
      ? { code: 'turnstile_required', message: 'Solve the Turnstile challenge and send its token.' }
      : { code: 'turnstile_failed', message: 'The Turnstile token is not good, or was used before. Get a new one.' }
  return new AppError('validation_failed', { errors: [{ pointer: '/turnstile_token', ...error }] })
}
