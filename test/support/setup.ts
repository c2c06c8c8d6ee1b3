import { applyD1Migrations, reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach } from 'vitest'
import { maxIterationsPerCall } from '../../src/crypto/password.ts'

// Deployed Workers refuse more iterations in one call and no local runtime does: every test runs with the refusal.
const deriveBits = crypto.subtle.deriveBits.bind(crypto.subtle)
crypto.subtle.deriveBits = (algorithm, ...rest) => {
  if (typeof algorithm === 'object' && (algorithm.iterations ?? 0) > maxIterationsPerCall) {
    throw new DOMException(
      `Pbkdf2 failed: iteration counts above ${maxIterationsPerCall} are not supported`,
      'NotSupportedError',
    )
  }
  return deriveBits(algorithm, ...rest)
}

// `reset` drops the schema along with the data. The first one of a warm process's second run (mutation tests) left the
// database as it was, unless it had been asked something just before.
beforeEach(async () => {
  await env.DB.exec('select 1')
  await reset()
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS)
})
