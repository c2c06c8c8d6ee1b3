/** All tests of a mutation run in one file, and so in one isolate: loading them costs more than running most of them. */
import { afterAll, describe, inject, vi } from 'vitest'

for (const path of inject('mutation').testFiles) {
  describe(path, async () => {
    await import(/* @vite-ignore */ `/${path}`)
    // Between files vitest does this by itself.
    afterAll(() => void vi.restoreAllMocks())
  })
}
