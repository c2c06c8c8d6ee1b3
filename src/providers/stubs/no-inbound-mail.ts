/**
 * Replaces the SDK's MIME parser in the bundle. Postern receives no email, and the parser has 73 kB. See `[alias]` in
 * wrangler.toml.
 */
export default class NoInboundMail {
  static parse(): never {
    throw new Error('this service receives no email')
  }
}
