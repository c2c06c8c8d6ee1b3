/**
 * Mutation tests: does a test fail for every small change of the code? `npm run mutation -- [part …]`, the parts of `parts.ts`.
 * docs/mutation.md says how it works and what came out.
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
    // A dry run is one job: all of the tests.
    dryRunTimeoutMinutes: 20,
    ignorePatterns: ['.wrangler', '.state', 'docs', 'reports'],
    reporters: ['clear-text', 'json', 'html', 'dots'],
    jsonReporter: { fileName: `reports/mutation/${name}.json` },
    htmlReporter: { fileName: `reports/mutation/${name}.html` },
    incremental: true,
    incrementalFile: `reports/mutation/${name}-incremental.json`,
    // The rewriting of that file wants an API which TypeScript 7 does not have, and nothing here needs it.
    tsconfigFile: 'none',
  }).runMutationTest()
}
