/**
 * Fails when the deployed bundle is over its budget. Measures the output of `wrangler deploy`, minified and gzipped, without
 * the password dictionary, which is loaded only when somebody sets a password.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** As measured, plus 2 kB: what a larger feature needs is a decision of its own. */
const budgetBytes = 110_300

const directory = mkdtempSync(join(tmpdir(), 'postern-bundle-'))
try {
  const emptyDictionary = join(directory, 'dictionary.ts')
  writeFileSync(emptyDictionary, 'export const dictionary = {}\nexport const adjacencyGraphs = {}\n')
  const whole = gzippedBytes([])
  const withoutDictionary = gzippedBytes(['--alias', `@zxcvbn-ts/language-common:${emptyDictionary}`])
  console.log(`bundle, gzipped: ${withoutDictionary} bytes of ${budgetBytes}; with the password dictionary ${whole}`)
  if (withoutDictionary > budgetBytes) {
    console.error('the bundle is over its budget')
    process.exitCode = 1
  }
} finally {
  rmSync(directory, { recursive: true })
}

function gzippedBytes(options: string[]): number {
  const outdir = join(directory, 'out')
  execFileSync('wrangler', ['deploy', '--dry-run', '--outdir', outdir, ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return gzipSync(readFileSync(join(outdir, 'index.js')), { level: 9 }).length
}
