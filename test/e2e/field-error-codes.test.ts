import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { fieldErrorCodes } from '../../src/errors.ts'
import { projectRoot } from '../../tools/wrangler.ts'

it('every code that a rule of the API names is in the list, so that the pages have a text for it', async () => {
  const named: string[] = []
  for await (const path of glob('src/{routes,http,services}/**/*.ts', { cwd: projectRoot })) {
    const source = readFileSync(join(projectRoot, path), 'utf8')
    for (const [, code = ''] of source.matchAll(/params: \{ code: '(\w+)'/g)) named.push(code)
  }
  assert.ok(named.length > 5)
  assert.deepEqual(
    named.filter((code) => !fieldErrorCodes.some((known) => known === code)),
    [],
  )
})
