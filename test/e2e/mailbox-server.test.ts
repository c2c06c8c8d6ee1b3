import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { Resend } from 'resend'
import { type MailboxServer, startMailbox } from '../../tools/mailbox/server.ts'

let stateDir: string
let server: MailboxServer

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'mailbox-'))
  server = await startMailbox(0, stateDir)
})

afterEach(async () => {
  await server.stop()
  rmSync(stateDir, { recursive: true })
})

const mail = { from: 'Postern <accounts@example.com>', to: 'ada@example.com', subject: 'Hello', text: 'Hi — ✓' }

test("Resend's SDK sends, lists and reads emails", async () => {
  const resend = new Resend('re_local', { baseUrl: server.url })
  const sent = await resend.emails.send({ ...mail, html: '<p>Hi</p>' }, { idempotencyKey: 'one' })
  assert.equal(sent.error, null)
  const again = await resend.emails.send({ ...mail, html: '<p>Hi</p>' }, { idempotencyKey: 'one' })
  assert.equal(again.data?.id, sent.data.id)

  const list = await resend.emails.list({ limit: 5 })
  assert.deepEqual(
    list.data?.data.map(({ id }) => id),
    [sent.data.id],
  )
  const read = await resend.emails.get(sent.data.id)
  assert.equal(read.data?.text, mail.text)
  assert.deepEqual(read.data?.to, [mail.to])
})

test("Resend's SDK understands refusals and batches", async () => {
  const resend = new Resend('re_local', { baseUrl: server.url })
  const refused = await resend.emails.send({ ...mail, to: 'nobody' })
  assert.deepEqual([refused.error?.name, refused.error?.statusCode], ['validation_error', 422])
  await resend.emails.send(mail, { idempotencyKey: 'k' })
  const conflict = await resend.emails.send({ ...mail, subject: 'Other' }, { idempotencyKey: 'k' })
  assert.deepEqual([conflict.error?.name, conflict.error?.statusCode], ['invalid_idempotent_request', 409])

  const batch = await resend.batch.send([mail, mail])
  assert.equal(batch.data?.data.length, 2)
  const permissive = await resend.batch.send([mail, { ...mail, to: 'nobody' }], { batchValidation: 'permissive' })
  assert.deepEqual([permissive.data?.data.length, permissive.data?.errors.map(({ index }) => index)], [1, [1]])
})

test('emails survive a restart and a torn last line, in a private file', async () => {
  const resend = new Resend('re_local', { baseUrl: server.url })
  await resend.emails.send(mail, { idempotencyKey: 'one' })
  await server.stop()
  const path = join(stateDir, 'mailbox.jsonl')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  appendFileSync(path, '{"mails":[{"id":"to')

  server = await startMailbox(0, stateDir)
  const reborn = new Resend('re_local', { baseUrl: server.url })
  await reborn.emails.send(mail, { idempotencyKey: 'one' })
  await reborn.emails.send({ ...mail, subject: 'Second' })
  assert.deepEqual(
    (await reborn.emails.list()).data?.data.map(({ subject }) => subject),
    ['Second', 'Hello'],
  )
  assert.equal(readFileSync(path, 'utf8').trim().split('\n').length, 3)
})

test('requests under a foreign host name are refused (DNS rebinding)', async () => {
  for (const [host, status] of [
    ['evil.example', 403],
    ['127.0.0.1.evil.example:80', 403],
    ['localhost:1', 200],
    ['[::1]:1', 200],
    ['127.0.0.1', 200],
  ] as const) {
    assert.equal(await statusFor(host), status, host)
  }
})

test('the server listens on the loopback address only', () => {
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/)
})

test('a body over 10 MiB is refused', async () => {
  const answer = await fetch(`${server.url}/emails`, { method: 'POST', body: 'x'.repeat(11 * 1024 * 1024) }).then(
    ({ status }) => status,
    () => 413, // The server may close the connection before it has read the whole body.
  )
  assert.equal(answer, 413)
})

function statusFor(host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(server.url, { headers: { host } }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
      .on('error', reject)
      .end()
  })
}

test('a request target cannot name another host, and HEAD is answered', async () => {
  const { port } = new URL(server.url)
  const statusOf = (method: string, path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      request({ port, method, path, host: '127.0.0.1' }, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end()
    })
  assert.equal(await statusOf('GET', '//['), 404)
  assert.equal(await statusOf('GET', '//emails'), 404)
  assert.equal(await statusOf('OPTIONS', '*'), 404)
  assert.equal(await statusOf('HEAD', '/'), 200)
})
