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

test("Resend's own client sends, lists and reads mails", async () => {
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

test("Resend's own client understands refusals and batches", async () => {
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

test('mails outlive the server, in a file for the owner only; a torn last line does no harm', async () => {
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

test('a request under a foreign name is refused: another site may not read the mails through the browser', async () => {
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

test('only this machine is listened to', () => {
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/)
})

test('a body of unreasonable size is refused', async () => {
  const answer = await fetch(`${server.url}/emails`, { method: 'POST', body: 'x'.repeat(11 * 1024 * 1024) }).then(
    ({ status }) => status,
    () => 413, // The server may hang up before it has read all.
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

test('a target is a path, whatever it looks like, and HEAD is GET without a body', async () => {
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
