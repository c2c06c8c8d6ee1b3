import { createMiddleware } from 'hono/factory'
import { ConfigError } from '../config/settings.ts'
import { createContext } from '../context.ts'
import { unavailable } from '../errors.ts'
import { log } from '../log.ts'
import type { HttpEnv } from './env.ts'

/** Creates the context of the services, and answers 503 if the configuration is invalid. */
export const withContext = createMiddleware<HttpEnv>(async function withContext(c, next) {
  try {
    c.set('ctx', await createContext(c.env, c.get('platform'), c.get('origin'), c.executionCtx))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    log('error', 'config.invalid', { problems: error.problems })
    throw unavailable('config', error)
  }
  await next()
})
