/** The optional secrets: `wrangler types` generates only the required ones. */
interface OptionalSecrets {
  TURNSTILE_SECRET?: string | undefined
  RESEND_WEBHOOK_SECRET?: string | undefined
}
declare namespace Cloudflare {
  interface Env extends OptionalSecrets {}
}
interface Env extends OptionalSecrets {}
