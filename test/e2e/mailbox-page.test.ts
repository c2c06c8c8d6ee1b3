import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMailbox } from '../../tools/mailbox/mailbox.ts'

const hostile = {
  from: 'Postern <accounts@example.com>',
  to: 'ada@example.com',
  subject: '<script>alert("s")</script>',
  html: '<html><head><title>T</title></head><body><a href="http://127.0.0.1/activate#token=a">Go</a></body></html>',
  text: 'See http://127.0.0.1/activate#token=a.b&c=<b> or javascript:alert(1) "quoted"',
}

async function withMail(payload: unknown) {
  const { handle } = createMailbox()
  const get = (path: string) => handle(new Request(`http://127.0.0.1:8788${path}`))
  const sent = await handle(
    new Request('http://127.0.0.1:8788/emails', {
      method: 'POST',
      headers: { authorization: 'Bearer x' },
      body: JSON.stringify(payload),
    }),
  )
  const { id } = await sent.json()
  return { get, id }
}

test('every part of an email is escaped in the list and on its page', async () => {
  const { get, id } = await withMail(hostile)
  for (const path of ['/', `/mails/${id}`]) {
    const page = await (await get(path)).text()
    assert.ok(page.includes('&lt;script&gt;alert(&quot;s&quot;)&lt;/script&gt;'), path)
    assert.ok(!page.includes('<script>alert'), path)
  }
})

test('http links in the text of an email can be clicked, and no others', async () => {
  const { get, id } = await withMail(hostile)
  const page = await (await get(`/mails/${id}`)).text()
  assert.ok(page.includes('<a href="http://127.0.0.1/activate#token=a.b&amp;c=">'))
  assert.ok(!page.includes('href="javascript:'))
})

test('the HTML of an email runs no script, and its links leave the frame', async () => {
  const { get, id } = await withMail(hostile)
  const page = await (await get(`/mails/${id}`)).text()
  assert.match(page, /<iframe\s[^>]*sandbox="allow-popups allow-top-navigation-by-user-activation"/)
  const framed = await get(`/mails/${id}/html`)
  const policy = framed.headers.get('content-security-policy') ?? ''
  for (const part of ["default-src 'none'", 'sandbox allow-popups', "frame-ancestors 'self'"]) {
    assert.ok(policy.includes(part), part)
  }
  assert.ok((await framed.text()).startsWith('<html><head><base target="_top"><title>'))
})

test('no page fetches anything from another host', async () => {
  const { get, id } = await withMail({ ...hostile, html: '<p>Hi</p>', text: 'Hi' })
  for (const path of ['/', `/mails/${id}`, '/mailbox.css', '/mailbox.js']) {
    const answer = await get(path)
    assert.equal(answer.status, 200)
    assert.doesNotMatch(await answer.text(), /https?:\/\//, path)
  }
  const policy = (await get('/')).headers.get('content-security-policy') ?? ''
  assert.ok(policy.startsWith("default-src 'none'"))
})

test('the page for an unknown email links back to the list', async () => {
  const { get } = await withMail(hostile)
  const answer = await get('/mails/nothing')
  assert.equal(answer.status, 404)
  assert.ok((await answer.text()).includes('href="/"'))
})
