/** The pages and the client need nothing that the oldest supported browsers do not have. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { build, transform } from 'esbuild'
import { projectRoot } from '../../tools/wrangler.ts'
import { buildTarget, oldestBrowsers } from '../../web/build/browsers.ts'
import { newerFeatures, usesOf } from '../browser/support/newer-features.ts'

/** What libraries use only where it is there. test/browser/old-browsers.test.ts shows that the pages work without. */
const askedForFirst: string[] = ['Element.prototype.moveBefore', 'Iterator']

interface Script {
  name: string
  text: string
}

/** What the browser has to understand, without the differences that only writing it anew makes. */
async function asWritten({ name, text }: Script, target: string[] | string): Promise<string> {
  const loader = name.endsWith('.css') ? 'css' : 'js'
  // Classes of characters depend on the version of Unicode, and esbuild rewrites them in any case.
  const supported = { 'regexp-unicode-property-escapes': true }
  return (await transform(text, { loader, target, supported, minifyWhitespace: true, legalComments: 'none' })).code
}

describe('the oldest supported browsers', { timeout: 300_000 }, () => {
  const scripts: Script[] = []

  before(async () => {
    const folder = join(projectRoot, 'dist')
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (/\.(js|css)$/.test(name)) scripts.push({ name, text: readFileSync(join(folder, name), 'utf8') })
    }
    const entry = join(projectRoot, 'client/src/index.ts')
    const { outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      minify: true,
      format: 'esm',
      write: false,
    })
    for (const { text } of outputFiles) scripts.push({ name: '@postern/client.js', text })
  })

  it('understand the syntax of every script and style', async () => {
    assert.ok(scripts.length > 10)
    for (const script of scripts) {
      const isUnderstood = (await asWritten(script, buildTarget)) === (await asWritten(script, 'esnext'))
      assert.ok(isUnderstood, script.name)
    }
    const newer = { name: 'newer.js', text: 'export const one = /[\\p{L}--[a-z]]/v; using x = one' }
    assert.notEqual(await asWritten(newer, buildTarget), await asWritten(newer, 'esnext'), 'or this test shows nothing')
  })

  it('have every function that the scripts call', () => {
    const uses = scripts.flatMap(({ name, text }) =>
      newerFeatures
        .filter((feature) => !askedForFirst.includes(feature))
        .filter((feature) => usesOf(feature).test(text))
        .map((feature) => `${name}: ${feature}`),
    )
    assert.deepEqual(uses, [])
    const newer = 'let a=URL.parse(b,c),{promise:d}=Promise.withResolvers();e.toWellFormed();AbortSignal.any([f])'
    const found = newerFeatures.filter((feature) => usesOf(feature).test(newer))
    const expected = ['AbortSignal.any', 'Promise.withResolvers', 'String.prototype.toWellFormed', 'URL.parse']
    assert.deepEqual(found, expected, 'or this test shows nothing')
  })

  it('are those that the documents name', () => {
    const { chrome, edge, firefox, safari } = oldestBrowsers
    assert.equal(chrome, edge)
    const names = `Chrome and Edge from ${chrome}, Firefox from ${firefox}, Safari from ${safari}`
    for (const file of ['README.md', 'client/README.md', 'client/CHANGELOG.md', 'docs/browsers.md']) {
      const text = readFileSync(join(projectRoot, file), 'utf8').replace(/\s+/g, ' ')
      assert.ok(text.includes(names), `${file}: ${names}`)
    }
  })
})
