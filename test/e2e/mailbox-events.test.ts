import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Resend } from 'resend'
import { createMailbox } from '../../tools/mailbox/mailbox.ts'
import { makeWebhookSecret, signedHeaders } from '../../tools/mailbox/webhook.ts'

const headers = { authorization: 'Bearer re_any' }
const mail = {
  from: 'Postern <accounts@example.com>',
  to: 'ada@example.com',
  subject: 'Hello',
  text: 'Hi',
  tags: [{ name: 'outbox_id', value: 'x-1' }],
}

function post(path: string, body: unknown): Request {
  return new Request(`http://127.0.0.1:8788${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

async function mailboxWithMail(tell?: (event: object) => Promise<number>) {
  const mailbox = createMailbox({ now: () => new Date('2026-11-22T18:40:12.512Z'), ...(tell && { tell }) })
  const { id } = await (await mailbox.handle(post('/emails', mail))).json()
  return { handle: mailbox.handle, id }
}

test('a developer can trigger a bounce, with the event that Resend sends', async () => {
  const told: object[] = []
  const { handle, id } = await mailboxWithMail(async (event) => {
    told.push(event)
    return 200
  })
  const answer = await handle(post(`/emails/${id}/events`, { type: 'email.bounced', bounce_type: 'Transient' }))
  const event = {
    type: 'email.bounced',
    created_at: '2026-11-22T18:40:12.512000+00:00',
    data: {
      email_id: id,
      message_id: `<${id}@mailbox.local>`,
      from: mail.from,
      to: [mail.to],
      subject: mail.subject,
      created_at: '2026-11-22T18:40:12.512000+00:00',
      tags: { outbox_id: 'x-1' },
      bounce: { type: 'Transient', subType: 'General', message: 'There is no such mailbox.' },
    },
  }
  assert.deepEqual(await answer.json(), { event, answered: 200 })
  assert.deepEqual(told, [event])
  await handle(post(`/emails/${id}/events`, { type: 'email.bounced' }))
  assert.partialDeepStrictEqual(told[1], { data: { bounce: { type: 'Permanent' } } })
})

test('events of unknown types or about unknown emails are refused', async () => {
  const { handle, id } = await mailboxWithMail(async () => 200)
  for (const wish of [{}, null, { type: 'email.opened' }, { type: 'constructor' }]) {
    assert.equal((await handle(post(`/emails/${id}/events`, wish))).status, 422)
  }
  assert.equal((await handle(post('/emails/nothing/events', { type: 'email.delivered' }))).status, 404)
  const read = new Request(`http://127.0.0.1:8788/emails/${id}/events`, { headers })
  assert.equal((await handle(read)).status, 405)
  const deaf = await mailboxWithMail()
  assert.equal((await deaf.handle(post(`/emails/${deaf.id}/events`, { type: 'email.delivered' }))).status, 404)
})

test("events are signed so that Resend's SDK verifies them", () => {
  const secret = makeWebhookSecret()
  const payload = JSON.stringify({ type: 'email.delivered' })
  const signed = signedHeaders(payload, secret, new Date())
  const [id, timestamp, signature] = Object.values(signed) as [string, string, string]
  const { webhooks } = new Resend('re_any')
  assert.deepEqual(webhooks.verify({ payload, headers: { id, timestamp, signature }, webhookSecret: secret }), {
    type: 'email.delivered',
  })
})
