import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { checkStores } from '../http/readiness.ts'
import { version } from '../version.ts'

/** Liveness: needs no store and no configuration. */
export const healthRoutes = new Hono<HttpEnv>().get('/healthz', (c) => c.json({ status: 'ok', version }))

/** Readiness: whether the configuration and the stores can be used now. */
export const readinessRoutes = new Hono<HttpEnv>().get('/readyz', async (c) => {
  const readiness = await checkStores(c.env, c.get('platform').now())
  const { status } = readiness
  if (status !== 'ok') c.set('outcome', status)
  return c.json(readiness, status === 'ok' ? 200 : 503)
})
