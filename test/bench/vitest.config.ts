import { defineConfig } from 'vitest/config'
import testConfig from '../vitest.config.ts'

/** The benchmarks, in the same workerd as the tests; not part of them, since a machine's speed is nothing to assert. */
export default defineConfig(async (env) => {
  const { test, ...config } = await testConfig(env)
  return { ...config, test: { ...test, include: ['test/bench/*.bench.ts'], silent: false, testTimeout: 600_000 } }
})
