import { type RateLimitName, rateLimits } from '../../src/config/rate-limits.ts'

const bindings = Object.values(rateLimits).map(({ binding }) => binding)

/** Rate limit bindings that all answer by one function, and note the keys that they were asked for. */
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
export const limitedCalls: [method: string, path: string, limit: RateLimitName][] = [
  ['POST', '/auth/register', 'register'],
  ['POST', '/auth/activate', 'activate'],
  ['POST', '/auth/login', 'login'],
  ['POST', '/auth/refresh', 'refresh'],
  ['POST', '/auth/resend-activation', 'resendActivation'],
  ['POST', '/auth/password-reset/request', 'requestReset'],
  ['POST', '/auth/password-reset/complete', 'completeReset'],
  ['POST', '/auth/change-password', 'ownPassword'],
  ['DELETE', '/users/me', 'ownPassword'],
]
