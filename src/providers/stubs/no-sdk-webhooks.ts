/**
 * Stands in the bundle for the SHA-256 in JavaScript with which the Resend SDK verifies webhooks: Postern verifies them
 * with WebCrypto, by its own clock. See `[alias]` in wrangler.toml.
 */
export class Webhook {
  verify(): never {
    throw new Error('this service verifies webhooks itself')
  }
}
