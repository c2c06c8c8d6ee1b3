declare namespace Cloudflare {
  interface Env {
    /** The bucket of tests that have an archive: they give it to the service as `AUDIT_ARCHIVE`. */
    ARCHIVE_BUCKET: R2Bucket
    TEST_MIGRATIONS: import('@cloudflare/vitest-pool-workers').D1Migration[]
    /** How long the model-based test runs, and which failure it shows again. */
    MODEL: { commands: number; seed: number; path?: string; replayPath?: string }
    /** How often each race is run, from the variable of that name. */
    RACE_ROUNDS: number
    FLOOD_NETWORKS: number
    /** See `lagging-d1.ts`. */
    REPLICA: D1Database
    /** See `small-d1.ts`. */
    SMALL_D1: DurableObjectNamespace
  }
}

/** A file as its text. */
declare module '*?raw' {
  const text: string
  export default text
}
