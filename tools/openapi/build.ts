/**
 * Writes the OpenAPI document of the service to public/openapi.json, from where the Worker serves it as a file. With
 * `--check` it writes nothing and fails when the file is not what the code says.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { URL } from 'node:url'
import { describeService } from './document.ts'

const file = new URL('../../public/openapi.json', import.meta.url)
const text = `${JSON.stringify(describeService(), null, 2)}\n`

if (!process.argv.includes('--check')) {
  writeFileSync(file, text)
} else if (readFileSync(file, 'utf8') !== text) {
  console.error('public/openapi.json is stale: run `npm run openapi` and commit it.')
  process.exitCode = 1
}
