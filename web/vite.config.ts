import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vite'
import { applyBrand } from './build/brand.ts'
import { readPageSettings } from './build/settings.ts'

const root = import.meta.dirname
const settings = readPageSettings(join(root, '../wrangler.toml'), process.env)

export default defineConfig({
  root,
  publicDir: '../public',
  plugins: [applyBrand(settings)],
  define: { SETTINGS: JSON.stringify(settings) },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    assetsDir: 'pages',
    // The content security policy permits no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The viewer of the reference is that large, and loaded nowhere else.
    chunkSizeWarningLimit: 2_000,
    rolldownOptions: {
      input: readdirSync(root)
        .filter((name) => name.endsWith('.html'))
        .map((name) => join(root, name)),
    },
  },
})
