/** Requests that can only be made over a real connection. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { after, before, test } from 'node:test'
import { DevServer } from './support/dev-server.ts'

const credentials = { email: 'ada@example.com', password: 'heron-copper-lantern-41' }
let server: DevServer
let token: string

before(
  async () => {
    server = await DevServer.start()
    await server.signUp(credentials)
    const login = await fetch(`${server.origin}/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(credentials),
    })
    token = ((await login.json()) as { access_token: string }).access_token
  },
  { timeout: 300_000 },
)

after(() => server.stop())

/** Sends a body with any method, which `fetch` does not do for GET and HEAD. */
async function send(method: string, path: string, headers: OutgoingHttpHeaders, body: string): Promise<number> {
  const asked = request(server.origin + path, { method, headers })
  asked.end(body)
  const [answer] = await once(asked, 'response')
  answer.resume()
  await once(answer, 'end')
  return answer.statusCode
}

test('GET and HEAD of any size and media type are verified as if they had no body', async () => {
  const body = 'x'.repeat(20_000)
  const authorization = `Bearer ${token}`
  for (const method of ['GET', 'HEAD']) {
    for (const type of ['application/json', 'multipart/form-data; boundary=x', 'nonsense', undefined]) {
      for (const framing of [{ 'Content-Length': '20000' }, { 'Transfer-Encoding': 'chunked' }]) {
        const headers = { authorization, ...framing, ...(type !== undefined && { 'Content-Type': type }) }
        assert.equal(
          await send(method, '/auth/verify', headers, body),
          204,
          `${method} ${type} ${Object.keys(framing).join()}`,
        )
      }
    }
  }
  const headers = { authorization, 'Content-Type': 'application/json' }
  assert.equal(await send('POST', '/auth/logout-all', headers, body), 413, 'the body of a POST is limited')
})
