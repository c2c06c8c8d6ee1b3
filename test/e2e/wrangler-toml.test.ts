import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { unstable_readConfig as readConfig } from 'wrangler'
import { queueNames } from '../../tools/cloudflare/account.ts'
import { isPlaceholder, readSettings, replaceString } from '../../tools/cloudflare/wrangler-toml.ts'
import { projectRoot } from '../../tools/wrangler.ts'

const original = join(projectRoot, 'wrangler.toml')
let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'toml-'))
  path = join(directory, 'wrangler.toml')
})

afterEach(() => rmSync(directory, { recursive: true }))

test("the settings are read from the project's wrangler.toml", async () => {
  const { name, queues, secrets, triggers } = await readSettings(original)
  assert.equal(name, 'postern')
  assert.equal(queues.producers[0].queue, 'postern-mail')
  assert.equal(queues.consumers[0].dead_letter_queue, 'postern-mail-dead')
  assert.deepEqual(secrets.required.toSorted(), [
    'DATA_KEYS',
    'PASSWORD_PEPPER',
    'RESEND_API_KEY',
    'SIGNING_KEYS',
    'TOKEN_KEYS',
  ])
  assert.deepEqual(triggers.crons, ['*/5 * * * *', '*/10 * * * *', '30 * * * *', '0 * * * *'])
})

test('a wrangler.toml without a needed value is refused by name', async () => {
  writeFileSync(path, readFileSync(original, 'utf8').replace(/^database_name = .*$/m, ''))
  await assert.rejects(readSettings(path), { name: 'Stop', message: /d1_databases\[0\]\.database_name/ })
})

test('the queue hands over as many emails as fit into one request to Resend', () => {
  const mailer = readFileSync(join(projectRoot, 'src/providers/resend.ts'), 'utf8')
  const [, maxMailsPerRequest] = /^export const maxMailsPerRequest = (\d+)$/m.exec(mailer)!
  const [consumer] = readConfig({ config: original }).queues.consumers ?? []
  assert.deepEqual([consumer?.queue, consumer?.max_batch_size], ['postern-mail', Number(maxMailsPerRequest)])
})

test('one string is replaced in its own table, and its comment stays', () => {
  const toml = 'id = "top"\n[[kv_namespaces]] # first\n  id = "old" # of KV\nbinding = "X"\n[[other]]\nid = "other"\n'
  writeFileSync(path, toml)
  replaceString(path, { table: 'kv_namespaces', key: 'id' }, 'a$1"b')
  const replaced = toml.replace('"old"', () => JSON.stringify('a$1"b'))
  assert.equal(readFileSync(path, 'utf8'), replaced)
  for (const place of [
    { table: 'vars', key: 'X' },
    { table: 'kv_namespaces', key: 'title' },
  ]) {
    assert.throws(() => replaceString(path, place, 'y'), { message: /wrangler\.toml has no string \w+\.\w+/ })
  }
  assert.equal(readFileSync(path, 'utf8'), replaced)
})

test('only an id of zeros is a placeholder', () => {
  for (const id of ['', '00000000-0000-0000-0000-000000000000', '0'.repeat(32)]) assert.ok(isPlaceholder(id), id)
  assert.ok(!isPlaceholder('00000000-0000-0000-0000-000000000001'))
})

test('queue names are read from the column "name"', () => {
  const table =
    '┌────┬──────┐\n│ id │ name │\n├────┼──────┤\n│ 1  │ mail │\n├────┼──────┤\n│ 2  │ dead │\n└────┴──────┘'
  assert.deepEqual(queueNames(table), ['mail', 'dead'])
  assert.deepEqual(queueNames(''), [])
})
