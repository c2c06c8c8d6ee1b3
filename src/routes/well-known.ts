import { dayMs } from '../durations.ts'
import { AppError } from '../errors.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'

export const wellKnownRoutes = new Hono<HttpEnv>()
  .get('/jwks.json', (c) => {
    c.header('Cache-Control', 'public, max-age=300')
    return c.json({ keys: c.get('ctx').secrets.signingKeys.map(({ publicJwk }) => publicJwk) })
  })
  // RFC 9116. The contact is as good as the deployment, so the file never expires while it is served.
  .get('/security.txt', (c) => {
    const { config, now } = c.get('ctx')
    if (!config.securityContact) throw new AppError('not_found')
    const expires = new Date(Math.ceil(now().getTime() / dayMs + 180) * dayMs).toISOString()
    c.header('Cache-Control', 'public, max-age=300')
    const canonical = `${config.publicUrl}/.well-known/security.txt`
    return c.text(`Contact: ${config.securityContact}\nExpires: ${expires}\nCanonical: ${canonical}\n`)
  })
  // https://www.w3.org/TR/change-password-url/
  .get('/change-password', (c) => c.redirect('/reset-password', 302))
