declare namespace Cloudflare {
  interface Env {
    TEST_MIGRATIONS: import('@cloudflare/vitest-pool-workers').D1Migration[]
  }
}

/** A file as its text. */
declare module '*?raw' {
  const text: string
  export default text
}
