/**
 * Mutation tests: does a test fail for every small change of the code? Run `npm run mutation -- [part …]` with parts of
 * `parts.ts`. docs/mutation.md explains how it works and lists the results.
 */
import { Stryker } from '@stryker-mutator/core'
import { parts } from './mutation/parts.ts'

const wanted = process.argv.slice(2)
for (const [name, { mutate, tests }] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  await new Stryker({
    mutate,
    testFilesInWorkerd: tests,
    testRunner: 'workerd',
    plugins: ['./tools/mutation/test-runner.ts', './tools/mutation/unobservable.ts'],
    ignorers: ['unobservable'],
    coverageAnalysis: 'perTest',
    concurrency: 1,
    // A dry run is a single job: all tests.
    dryRunTimeoutMinutes: 20,
    // A slow test is not an endless one: on a busy machine the default of five seconds counts mutants as detected.
    timeoutMS: 20_000,
    ignorePatterns: ['.wrangler', '.state', 'docs', 'reports'],
    reporters: ['clear-text', 'json', 'html', 'dots'],
    jsonReporter: { fileName: `reports/mutation/${name}.json` },
    htmlReporter: { fileName: `reports/mutation/${name}.html` },
    incremental: true,
    incrementalFile: `reports/mutation/${name}-incremental.json`,
    // Stryker rewrites that file with an API that TypeScript 7 does not have. Nothing here needs it.
    tsconfigFile: 'none',
  }).runMutationTest()
}
