/** Secrets that a deployment may do without: `wrangler types` knows only those that it cannot. */
interface OptionalSecrets {
  TURNSTILE_SECRET?: string | undefined
  RESEND_WEBHOOK_SECRET?: string | undefined
}
declare namespace Cloudflare {
  interface Env extends OptionalSecrets {}
}
interface Env extends OptionalSecrets {}
