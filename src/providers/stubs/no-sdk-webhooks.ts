/**
 * Replaces the SDK's webhook verification in the bundle, a SHA-256 in JavaScript. Postern verifies webhooks with WebCrypto,
 * by its own clock. See `[alias]` in wrangler.toml.
 */
export class Webhook {
  verify(): never {
    throw new Error('this service verifies webhooks itself')
  }
}
