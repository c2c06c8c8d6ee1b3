import { type RateLimitName, rateLimits, userLimit } from '../../src/config/rate-limits.ts'
import type { OperationId } from './api.ts'

const bindings = [...Object.values(rateLimits), userLimit].map(({ binding }) => binding)

/** Rate limit bindings that all answer by one function and record the keys that they are asked for. */
export function limitersThat(answer: (key: string) => boolean | Promise<boolean>) {
  const asked: { binding: string; key: string }[] = []
  const limiters = bindings.map((binding): [string, RateLimit] => [
    binding,
    {
      async limit({ key }) {
        asked.push({ binding, key })
        return { success: await answer(key) }
      },
    },
  ])
  return { env: { ...Object.fromEntries(limiters), RATE_LIMITS: 'on' } as Partial<Env>, asked }
}

/** The calls that are counted, and the limit that each draws on. */
export const limitedCalls: { operation: OperationId; method: string; path: string; limit: RateLimitName }[] = [
  { operation: 'register', method: 'POST', path: '/auth/register', limit: 'register' },
  { operation: 'activate', method: 'POST', path: '/auth/activate', limit: 'activate' },
  { operation: 'login', method: 'POST', path: '/auth/login', limit: 'login' },
  { operation: 'passkeySignInOptions', method: 'POST', path: '/auth/passkey/options', limit: 'passkey' },
  { operation: 'signInWithPasskey', method: 'POST', path: '/auth/passkey', limit: 'passkey' },
  { operation: 'stepUpOptions', method: 'POST', path: '/auth/step-up/options', limit: 'passkey' },
  { operation: 'stepUp', method: 'POST', path: '/auth/step-up', limit: 'secondFactor' },
  { operation: 'secondFactor', method: 'POST', path: '/auth/second-factor', limit: 'secondFactor' },
  { operation: 'passkeyEnrolmentOptions', method: 'POST', path: '/users/me/passkeys/options', limit: 'passkey' },
  { operation: 'addPasskey', method: 'POST', path: '/users/me/passkeys', limit: 'passkey' },
  { operation: 'renamePasskey', method: 'PATCH', path: '/users/me/passkeys/{id}', limit: 'passkey' },
  { operation: 'removePasskey', method: 'DELETE', path: '/users/me/passkeys/{id}', limit: 'passkey' },
  { operation: 'sendFactorCode', method: 'POST', path: '/users/me/factors/code', limit: 'secondFactor' },
  { operation: 'startTotp', method: 'POST', path: '/users/me/totp', limit: 'secondFactor' },
  { operation: 'confirmTotp', method: 'POST', path: '/users/me/totp/confirm', limit: 'secondFactor' },
  { operation: 'removeTotp', method: 'DELETE', path: '/users/me/totp', limit: 'secondFactor' },
  { operation: 'renewRecoveryCodes', method: 'POST', path: '/users/me/recovery-codes', limit: 'secondFactor' },
  { operation: 'refresh', method: 'POST', path: '/auth/refresh', limit: 'refresh' },
  { operation: 'resendActivation', method: 'POST', path: '/auth/resend-activation', limit: 'resendActivation' },
  { operation: 'requestPasswordReset', method: 'POST', path: '/auth/password-reset/request', limit: 'requestReset' },
  { operation: 'completePasswordReset', method: 'POST', path: '/auth/password-reset/complete', limit: 'completeReset' },
  { operation: 'changePassword', method: 'POST', path: '/auth/change-password', limit: 'ownPassword' },
  { operation: 'deleteMe', method: 'DELETE', path: '/users/me', limit: 'ownPassword' },
  { operation: 'revertEmail', method: 'POST', path: '/auth/email/revert', limit: 'emailRevert' },
  { operation: 'readAuditArchive', method: 'GET', path: '/audit-archive', limit: 'auditArchive' },
]
