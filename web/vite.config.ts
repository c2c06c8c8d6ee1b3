import { join } from 'node:path'
import { defineConfig } from 'vite'
import { applyBrand } from './build/brand.ts'
import { allowChallenges } from './build/headers.ts'
import { buildTarget } from './build/browsers.ts'
import { readFallbackTexts } from './build/no-script.ts'
import { pages } from './build/pages.ts'
import { makeProblemPages, problemPages } from './build/problems.ts'
import { readPageSettings } from './build/settings.ts'
import { makeShells } from './build/shell.ts'

const root = import.meta.dirname
const settings = readPageSettings(join(root, '../wrangler.toml'), process.env)

export default defineConfig({
  root,
  publicDir: '../public',
  plugins: [
    makeShells(root, await readFallbackTexts(root, settings)),
    makeProblemPages(root),
    applyBrand(settings),
    allowChallenges(settings),
  ],
  define: { SETTINGS: JSON.stringify(settings) },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist',
    target: buildTarget,
    // Tests run several builds at once, and one must not take away what the server of another is reading.
    emptyOutDir: process.env['PREPARED_STATE_DIR'] === undefined,
    assetsDir: 'pages',
    // The content security policy forbids data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The viewer of the API reference is that large; only its frame in /docs loads it.
    chunkSizeWarningLimit: 2_000,
    rolldownOptions: {
      // Its report of slow plugins looks like an error in the output of `npm run dev`.
      checks: { pluginTimings: false },
      input: [...Object.keys(pages), 'docs', 'docs-viewer', ...Object.keys(problemPages)].map((path) =>
        join(root, `${path}.html`),
      ),
    },
  },
})
