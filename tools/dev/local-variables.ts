import { type LocalServer, localAdminEmail } from './settings.ts'

/**
 * Overrides wrangler.toml on a developer's machine. The Worker calls no other host, unless the environment names one.
 */
export function localVariables(
  { url, mailboxUrl, rateLimits, passedOn }: LocalServer,
  env: NodeJS.ProcessEnv,
): Record<string, string> {
  return {
    ENVIRONMENT: 'development',
    PUBLIC_URL: url,
    RESEND_BASE_URL: mailboxUrl,
    BOOTSTRAP_ADMIN_EMAIL: localAdminEmail,
    MAIL_FROM: 'Postern <accounts@example.com>',
    RATE_LIMITS: rateLimits,
    SECOND_FACTOR: 'optional',
    ...passedOn,
    PWNED_PASSWORDS_URL: env['PWNED_PASSWORDS_URL'] ?? '',
    PWNED_PASSWORDS_REQUIRED: env['PWNED_PASSWORDS_REQUIRED'] ?? '',
  }
}
