import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'

export const wellKnownRoutes = new Hono<HttpEnv>()
  .get('/jwks.json', (c) => {
    c.header('Cache-Control', 'public, max-age=300')
    return c.json({ keys: c.get('ctx').secrets.signingKeys.map(({ publicJwk }) => publicJwk) })
  })
  // https://www.w3.org/TR/change-password-url/
  .get('/change-password', (c) => c.redirect('/reset-password', 302))
