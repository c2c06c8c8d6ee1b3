import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMailbox, type Entry } from '../../tools/mailbox/mailbox.ts'

const mail = { from: 'Postern <accounts@example.com>', to: 'ada@example.com', subject: 'Hello', text: 'Hi' }

interface Init {
  method?: string
  body?: string
  headers?: Record<string, string>
}

function call(path: string, { method = 'GET', body, headers = {} }: Init = {}): Request {
  return new Request(`http://127.0.0.1:8788${path}`, {
    method,
    headers: { authorization: 'Bearer re_any', ...headers },
    ...(body !== undefined && { body }),
  })
}

function post(payload: unknown, headers: Record<string, string> = {}, path = '/emails'): Request {
  return call(path, { method: 'POST', body: JSON.stringify(payload), headers })
}

async function refusal(response: Response): Promise<{ statusCode: number; name: string; message: string }> {
  const body = await response.json()
  assert.deepEqual(Object.keys(body).toSorted(), ['message', 'name', 'statusCode'])
  assert.equal(body.statusCode, response.status)
  return body
}

test('a sent email is listed and read in the format of Resend', async () => {
  const { handle } = createMailbox({ now: () => new Date('2026-11-22T18:40:12.512Z') })
  const sent = await handle(
    post({ ...mail, html: '<p>Hi</p>', reply_to: 'help@example.com', tags: [{ name: 'a', value: 'b' }] }),
  )
  assert.equal(sent.status, 200)
  const { id } = await sent.json()

  const list = await (await handle(call('/emails'))).json()
  const row = {
    id,
    message_id: `<${id}@mailbox.local>`,
    to: ['ada@example.com'],
    from: mail.from,
    created_at: '2026-11-22T18:40:12.512000+00:00',
    subject: 'Hello',
    bcc: null,
    cc: null,
    reply_to: ['help@example.com'],
    last_event: 'delivered',
    scheduled_at: null,
  }
  assert.deepEqual(list, { object: 'list', has_more: false, data: [row] })

  const whole = await (await handle(call(`/emails/${id}`))).json()
  assert.deepEqual(whole, { object: 'email', ...row, html: '<p>Hi</p>', text: 'Hi', tags: [{ name: 'a', value: 'b' }] })
})

test('every API call needs a key', async () => {
  const { handle } = createMailbox()
  for (const authorization of ['', 'Bearer ', 'Basic abc']) {
    for (const request of [post(mail, { authorization }), call('/emails', { headers: { authorization } })]) {
      assert.equal((await refusal(await handle(request))).name, 'missing_api_key')
    }
  }
})

test('an invalid email is refused as Resend refuses it, and not kept', async () => {
  const { handle, mails } = createMailbox()
  const { text: _, ...bare } = mail
  const cases: [unknown, string, RegExp][] = [
    [{ ...mail, from: undefined }, 'missing_required_field', /`from`/],
    [{ ...mail, to: undefined }, 'missing_required_field', /`to`/],
    [{ ...mail, to: [] }, 'missing_required_field', /`to`/],
    [{ ...mail, subject: undefined }, 'missing_required_field', /`subject`/],
    [bare, 'validation_error', /`html` or `text`/],
    [{ ...mail, from: 'nobody' }, 'validation_error', /`from`/],
    [{ ...mail, to: 'ada' }, 'validation_error', /`to`/],
    [{ ...mail, to: [7] }, 'validation_error', /`to`/],
    [{ ...mail, to: Array.from({ length: 51 }, () => mail.to) }, 'validation_error', /50/],
    [{ ...mail, cc: 'x' }, 'validation_error', /`cc`/],
    [{ ...mail, text: 7 }, 'validation_error', /`text`/],
    [{ ...mail, tags: [{ name: 'not ok', value: 'x' }] }, 'validation_error', /Tags/],
    [[mail], 'validation_error', /object/],
    [null, 'validation_error', /object/],
  ]
  for (const [payload, name, message] of cases) {
    const answer = await refusal(await handle(post(payload)))
    assert.deepEqual([answer.statusCode, answer.name], [422, name], JSON.stringify(payload))
    assert.match(answer.message, message)
  }
  assert.equal((await handle(call('/emails', { method: 'POST', body: '{' }))).status, 422)
  assert.deepEqual(mails(), [])
})

test('an idempotency key sends one email and refuses another payload', async () => {
  const { handle, mails } = createMailbox()
  const first = await (await handle(post(mail, { 'idempotency-key': 'k1' }))).json()
  const again = await handle(post(mail, { 'idempotency-key': 'k1' }))
  assert.equal(again.status, 200)
  assert.deepEqual(await again.json(), first)
  const other = await refusal(await handle(post({ ...mail, subject: 'Other' }, { 'idempotency-key': 'k1' })))
  assert.deepEqual([other.statusCode, other.name], [409, 'invalid_idempotent_request'])
  assert.equal(mails().length, 1)
})

test('twenty concurrent requests with one key send one email', async () => {
  const { handle, mails } = createMailbox()
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => (await handle(post(mail, { 'idempotency-key': 'k' }))).json()),
  )
  assert.equal(new Set(answers.map(({ id }) => id)).size, 1)
  assert.equal(mails().length, 1)
})

test('an idempotency key lasts a day, and a refused request does not use it', async () => {
  let now = new Date('2026-11-22T00:00:00Z')
  const { handle, mails } = createMailbox({ now: () => now })
  assert.equal((await handle(post({ ...mail, to: 'x' }, { 'idempotency-key': 'k' }))).status, 422)
  assert.equal((await handle(post(mail, { 'idempotency-key': 'k' }))).status, 200)
  now = new Date('2026-11-22T23:59:59Z')
  await handle(post(mail, { 'idempotency-key': 'k' }))
  assert.equal(mails().length, 1)
  now = new Date('2026-11-23T00:00:00Z')
  assert.equal((await handle(post({ ...mail, subject: 'New' }, { 'idempotency-key': 'k' }))).status, 200)
  assert.equal(mails().length, 2)
})

test('an idempotency key has 1 to 256 characters', async () => {
  const { handle } = createMailbox()
  assert.equal((await handle(post(mail, { 'idempotency-key': 'k'.repeat(256) }))).status, 200)
  const answer = await refusal(await handle(post(mail, { 'idempotency-key': 'k'.repeat(257) })))
  assert.deepEqual([answer.statusCode, answer.name], [400, 'invalid_idempotency_key'])
})

test('a strict batch is kept as a whole or not at all', async () => {
  const { handle, mails } = createMailbox()
  const refused = await handle(post([mail, { ...mail, to: 'x' }], {}, '/emails/batch'))
  assert.equal(refused.status, 422)
  assert.deepEqual(mails(), [])
  const kept = await (await handle(post([mail, { ...mail, subject: 'Second' }], {}, '/emails/batch'))).json()
  assert.deepEqual(Object.keys(kept), ['data'])
  assert.deepEqual(
    mails().map(({ id }) => ({ id })),
    kept.data.toReversed(),
  )
  assert.equal((await handle(post([], {}, '/emails/batch'))).status, 422)
  assert.equal(
    (
      await handle(
        post(
          Array.from({ length: 101 }, () => mail),
          {},
          '/emails/batch',
        ),
      )
    ).status,
    422,
  )
})

test('a permissive batch keeps valid emails and lists the others by index', async () => {
  const { handle, mails } = createMailbox()
  const permissive = { 'x-batch-validation': 'permissive' }
  const answer = await (await handle(post([{ ...mail, to: 'x' }, mail], permissive, '/emails/batch'))).json()
  assert.equal(answer.data.length, 1)
  assert.equal(answer.errors.length, 1)
  assert.equal(answer.errors[0].index, 0)
  assert.match(answer.errors[0].message, /`to`/)
  assert.equal(mails().length, 1)
})

test('the list is paged by cursor, newest first', async () => {
  const { handle } = createMailbox()
  for (let n = 1; n <= 25; n++) await handle(post({ ...mail, subject: `Mail ${n}` }))
  const page = async (query: string) => (await handle(call(`/emails${query}`))).json()
  const subjects = ({ data }: { data: { subject: string }[] }) => data.map(({ subject }) => Number(subject.slice(5)))

  const first = await page('')
  assert.deepEqual(subjects(first), [25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6])
  assert.equal(first.has_more, true)
  const second = await page(`?after=${first.data.at(-1).id}`)
  assert.deepEqual([subjects(second), second.has_more], [[5, 4, 3, 2, 1], false])
  const back = await page(`?limit=2&before=${second.data[0].id}`)
  assert.deepEqual([subjects(back), back.has_more], [[7, 6], true])
  const one = first.data[0].id
  for (const query of ['?limit=0', '?limit=101', '?limit=x', '?after=nothing', `?after=${one}&before=${one}`]) {
    assert.equal((await handle(call(`/emails${query}`))).status, 422, query)
  }
})

test('an unknown path or email is 404, a wrong method 405', async () => {
  const { handle } = createMailbox()
  for (const path of ['/domains', '/emails/', '/emails/a/b', '/emails/nothing']) {
    assert.equal((await refusal(await handle(call(path)))).name, 'not_found', path)
  }
  for (const [method, path] of [
    ['DELETE', '/emails'],
    ['PUT', '/emails/batch'],
    ['GET', '/emails/batch'],
    ['PATCH', '/emails/x'],
  ] as const) {
    assert.equal((await refusal(await handle(call(path, { method })))).name, 'method_not_allowed', `${method} ${path}`)
  }
})

test('a mailbox continues from the entries of an earlier one, keys included', async () => {
  const entries: Entry[] = []
  const before = createMailbox({ append: (entry) => entries.push(JSON.parse(JSON.stringify(entry))) })
  const { id } = await (await before.handle(post(mail, { 'idempotency-key': 'k' }))).json()
  const after = createMailbox({ entries })
  assert.equal((await after.handle(call(`/emails/${id}`))).status, 200)
  assert.deepEqual(await (await after.handle(post(mail, { 'idempotency-key': 'k' }))).json(), { id })
  assert.equal(after.mails().length, 1)
})
