import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { queueNames } from '../../tools/cloudflare/account.ts'
import { isPlaceholder, readSettings, replaceString } from '../../tools/cloudflare/wrangler-toml.ts'
import { projectRoot } from '../../tools/wrangler.ts'

test("the project's own wrangler.toml is read", () => {
  const settings = readSettings(readFileSync(join(projectRoot, 'wrangler.toml'), 'utf8'))
  assert.equal(settings.name, 'postern')
  assert.deepEqual(settings.queues, ['postern-mail', 'postern-mail-dead'])
  assert.deepEqual(settings.requiredSecrets.toSorted(), [
    'PASSWORD_PEPPER',
    'RESEND_API_KEY',
    'SIGNING_KEYS',
    'TOKEN_KEYS',
  ])
  assert.deepEqual(settings.crons, ['*/5 * * * *', '0 * * * *'])
})

test('the consumer is handed as many mails as go into one request', () => {
  const toml = readFileSync(join(projectRoot, 'wrangler.toml'), 'utf8')
  const mailer = readFileSync(join(projectRoot, 'src/providers/resend.ts'), 'utf8')
  const [, maxMailsPerRequest] = /^export const maxMailsPerRequest = (\d+)$/m.exec(mailer)!
  const [, consumer = ''] = toml.split('[[queues.consumers]]')
  assert.match(consumer, /^queue = "postern-mail"$/m)
  assert.match(consumer, new RegExp(`^max_batch_size = ${maxMailsPerRequest}$`, 'm'))
})

test('one value is replaced, in its own table, and the comment beside it stays', () => {
  const toml = 'id = "top"\n[[kv_namespaces]] # first\n  id = "old" # of KV\nbinding = "X"\n[[other]]\nid = "other"\n'
  const place = { table: 'kv_namespaces', key: 'id' }
  assert.equal(
    replaceString(toml, place, 'a$1"b'),
    toml.replace('"old"', () => JSON.stringify('a$1"b')),
  )
  assert.throws(() => replaceString(toml, { table: 'vars', key: 'X' }, 'y'), /wrangler\.toml has no vars\.X/)
})

test('lists may go over several lines, with comments', () => {
  const toml = readFileSync(join(projectRoot, 'wrangler.toml'), 'utf8')
  const spread = toml.replace(/^crons = .*$/m, 'crons = [\n  "*/5 * * * *", # often ["quoted"]\n  \'0 * * * *\',\n]')
  assert.deepEqual(readSettings(spread).crons, ['*/5 * * * *', '0 * * * *'])
})

test('only an id of zeros stands for none', () => {
  for (const id of ['', '00000000-0000-0000-0000-000000000000', '0'.repeat(32)]) assert.ok(isPlaceholder(id), id)
  assert.ok(!isPlaceholder('00000000-0000-0000-0000-000000000001'))
})

test('queue names are found in the column of that name, and an empty list has none', () => {
  const table =
    '┌────┬──────┐\n│ id │ name │\n├────┼──────┤\n│ 1  │ mail │\n├────┼──────┤\n│ 2  │ dead │\n└────┴──────┘'
  assert.deepEqual(queueNames(table), ['mail', 'dead'])
  assert.deepEqual(queueNames(''), [])
})
