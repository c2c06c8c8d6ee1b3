import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { checkStores } from '../http/readiness.ts'
import { version } from '../version.ts'

/** Answers without a store or a configuration. */
export const healthRoutes = new Hono<HttpEnv>().get('/healthz', (c) => c.json({ status: 'ok', version }))

/** Whether the service can do its work here and now. */
export const readinessRoutes = new Hono<HttpEnv>().get('/readyz', async (c) => {
  const { isReady, checks } = await checkStores(c.env)
  if (!isReady) c.set('outcome', 'unavailable')
  return c.json({ status: isReady ? 'ok' : 'unavailable', checks }, isReady ? 200 : 503)
})
