import type { Platform } from './context.ts'
import { limitBody } from './http/body.ts'
import { allowOrigins } from './http/cors.ts'
import type { HttpEnv } from './http/env.ts'
import { serveEveryRequest } from './http/every-request.ts'
import { Hono } from './http/hono.ts'
import { answerNotFound } from './http/not-found.ts'
import { answerError } from './http/problem.ts'
import { refuseDuringMaintenance } from './http/maintenance.ts'
import { withContext } from './http/with-context.ts'
import { administrationRoutes } from './routes/administration.ts'
import { auditArchiveRoutes } from './routes/audit-archive.ts'
import { auditRoutes } from './routes/audit-events.ts'
import { descriptionRoutes } from './routes/description.ts'
import { emailChangeRoutes, emailRevertRoutes } from './routes/email-change.ts'
import { emailRoutes } from './routes/emails.ts'
import { factorRoutes } from './routes/factors.ts'
import { exportRoutes } from './routes/export.ts'
import { healthRoutes, readinessRoutes } from './routes/health.ts'
import { meRoutes } from './routes/me.ts'
import { ownPasskeyRoutes, passkeySignInRoutes } from './routes/passkeys.ts'
import { passwordRoutes } from './routes/passwords.ts'
import { registrationRoutes } from './routes/registration.ts'
import { roleRoutes } from './routes/roles.ts'
import { secondFactorRoutes } from './routes/second-factor.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { signInRoutes } from './routes/sign-in.ts'
import { stepUpRoutes } from './routes/step-up.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { wellKnownRoutes } from './routes/well-known.ts'

/** The HTTP side: the middleware of every request, then the routes. */
export function createApp(platform: Platform) {
  const app = new Hono<HttpEnv>()
  app.onError(answerError)
  app.notFound(answerNotFound(app))
  app.use(serveEveryRequest(platform), refuseDuringMaintenance)
  // Before `allowOrigins`: static files are not available to other origins.
  app.route('/', descriptionRoutes)
  app.use(allowOrigins, limitBody)

  app.route('/', healthRoutes)
  app.route('/', readinessRoutes)

  app.use(withContext)
  app.route('/auth', registrationRoutes)
  app.route('/auth', signInRoutes)
  app.route('/auth', passkeySignInRoutes)
  app.route('/auth', secondFactorRoutes)
  app.route('/auth', passwordRoutes)
  app.route('/auth', stepUpRoutes)
  app.route('/auth', sessionRoutes)
  app.route('/auth', emailRevertRoutes)
  app.route('/users/me/passkeys', ownPasskeyRoutes)
  app.route('/users/me', meRoutes)
  app.route('/users/me', factorRoutes)
  app.route('/users/me', emailChangeRoutes)
  app.route('/users/me', exportRoutes)
  app.route('/users', administrationRoutes)
  app.route('/audit-events', auditRoutes)
  app.route('/audit-archive', auditArchiveRoutes)
  app.route('/emails', emailRoutes)
  app.route('/roles', roleRoutes)
  app.route('/webhooks', webhookRoutes)
  app.route('/.well-known', wellKnownRoutes)
  return app
}
