import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-pool-workers'
import { defineConfig } from 'vitest/config'
import { modelSettings } from './support/model-settings.ts'
import { testSecrets } from './support/test-secrets.ts'

export default defineConfig(async () => ({
  plugins: [
    cloudflareTest({
      main: './test/support/worker.ts',
      wrangler: { configPath: './wrangler.toml' },
      miniflare: {
        bindings: {
          TEST_MIGRATIONS: await readD1Migrations('./migrations'),
          MODEL: modelSettings,
          // CI runs more of them.
          RACE_ROUNDS: Number(process.env['RACE_ROUNDS'] ?? 2),
          // `npm run check:flood` has a hundred.
          FLOOD_NETWORKS: Number(process.env['FLOOD_NETWORKS'] ?? 2),
          ENVIRONMENT: 'development',
          PUBLIC_URL: 'https://accounts.example.com',
          BOOTSTRAP_ADMIN_EMAIL: 'admin@example.com',
          RESEND_BASE_URL: 'https://resend.test',
          // Everybody in the tests has one address; what is about limits turns them on.
          RATE_LIMITS: 'off',
          SECOND_FACTOR: 'optional',
          SECURITY_CONTACT: 'security@example.com',
          PWNED_PASSWORDS_URL: '',
          ...testSecrets,
          READ_REPLICAS: process.env['READ_REPLICAS'] ?? 'false',
        },
        // The copy of DB that test/support/lagging-d1.ts makes.
        d1Databases: ['REPLICA'],
        // Under another name: only tests of the archive have one.
        r2Buckets: ['ARCHIVE_BUCKET'],
        durableObjects: {
          SMALL_D1: { className: 'SmallDatabase', scriptName: 'small-d1', useSQLite: true },
        },
        workers: [
          {
            name: 'small-d1',
            modules: true,
            scriptPath: './test/support/small-d1-worker.js',
            compatibilityDate: '2026-11-01',
            compatibilityFlags: ['experimental'],
            durableObjects: { SMALL_D1: { className: 'SmallDatabase', useSQLite: true } },
          },
        ],
        queueConsumers: { 'postern-mail': { maxBatchTimeout: 0.05 } },
      },
    }),
  ],
  resolve: {
    // Its source, so that no test needs a build.
    alias: [{ find: /^@postern\/client\/(\w+)$/, replacement: `${import.meta.dirname}/../client/src/$1.ts` }],
  },
  test: {
    root: '.',
    include: ['test/**/*.test.{ts,tsx}'],
    exclude: ['test/e2e/**', 'test/browser/**'],
    setupFiles: ['./test/support/setup.ts'],
    // One worker for all files: starting one and loading every module again cost half of a run. `setup.ts` and
    // `restoreMocks` put back what a test changes.
    isolate: false,
    maxWorkers: 2,
    restoreMocks: true,
    testTimeout: 60_000,
    // Titles with values are cited and searched for as a whole.
    taskTitleValueFormatTruncate: 0,
    silent: 'passed-only' as const,
  },
}))
