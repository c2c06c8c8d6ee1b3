import { ConfigError, readSettings } from '../config/settings.ts'
import { describeError, log } from '../log.ts'

type Check = 'ok' | 'unavailable'

export interface Readiness {
  isReady: boolean
  checks: { config: Check; d1: Check; kv: Check }
}

/** Sends each store the smallest possible query. Failures go to the log and not into the answer. */
export async function checkStores(env: Env): Promise<Readiness> {
  const [config, d1, kv] = await Promise.all([
    check('config', () => readSettings(env)),
    check('d1', () => env.DB.prepare('select 1').all()),
    check('kv', () => env.REVOCATIONS.get('readyz')),
  ])
  return { isReady: config === 'ok' && d1 === 'ok' && kv === 'ok', checks: { config, d1, kv } }
}

async function check(name: string, ask: () => Promise<unknown>): Promise<Check> {
  try {
    await ask()
    return 'ok'
  } catch (error) {
    const why = error instanceof ConfigError ? { problems: error.problems } : describeError(error)
    log('error', 'readiness.failed', { check: name, ...why })
    return 'unavailable'
  }
}
