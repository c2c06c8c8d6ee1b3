/** The optional bindings: `wrangler types` generates only the required ones. */
interface OptionalBindings {
  AUDIT_ARCHIVE?: R2Bucket
  METRICS?: AnalyticsEngineDataset
}
declare namespace Cloudflare {
  interface Env extends OptionalBindings {}
}
interface Env extends OptionalBindings {}
