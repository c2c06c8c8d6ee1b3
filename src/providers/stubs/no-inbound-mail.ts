/**
 * Stands in the bundle for the MIME parser that the Resend SDK brings along for inbound mail, which Postern has none of:
 * 73 kB, a third of them the names of HTML entities. See `[alias]` in wrangler.toml.
 */
export default class NoInboundMail {
  static parse(): never {
    throw new Error('this service reads no mail')
  }
}
