import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { checkStores } from '../http/readiness.ts'
import { version } from '../version.ts'

/** Liveness: needs no store and no configuration. */
export const healthRoutes = new Hono<HttpEnv>().get('/healthz', (c) => c.json({ status: 'ok', version }))

/** Readiness: whether the configuration and the stores can be used now. */
export const readinessRoutes = new Hono<HttpEnv>().get('/readyz', async (c) => {
  const { isReady, checks } = await checkStores(c.env)
  if (!isReady) c.set('outcome', 'unavailable')
  return c.json({ status: isReady ? 'ok' : 'unavailable', checks }, isReady ? 200 : 503)
})
