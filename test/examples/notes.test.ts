/** The example Worker, with access tokens of the real service. */
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import worker from '../../examples/notes/src/index.ts'
import { type SignedIn, signIn, signUp, signUpAdmin, signUpAs } from '../support/people.ts'
import { type Service, startService } from '../support/service.ts'

/** Any KV namespace will do. */
const bindings = { NOTES: env.REVOCATIONS, POSTERN_ISSUER: 'https://accounts.example.com' }

async function start(): Promise<{ service: Service; ada: SignedIn; bob: SignedIn; moderator: SignedIn }> {
  const service = startService({ platform: { now: () => new Date() } })
  const admin = await signUpAdmin(service)
  const moderator = await signUpAs(service, 'MODERATOR', 'grace@example.com', admin)
  const people = { ada: await signUp(service, 'ada@example.com'), bob: await signUp(service, 'bob@example.com') }
  // The key set over the network, which the middleware takes.
  vi.spyOn(globalThis, 'fetch').mockImplementation(service.fetch)
  return { service, moderator, ...people }
}

async function call(who: SignedIn | undefined, method: string, path: string, body?: object) {
  const headers = { ...(who && { Authorization: `Bearer ${who.accessToken}` }), 'Content-Type': 'application/json' }
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
  const response = await worker.request(path, init, bindings)
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: text ? JSON.parse(text) : undefined }
}

const write = async (who: SignedIn, text: string): Promise<string> =>
  (await call(who, 'POST', '/notes', { text })).json.id

describe('notes', () => {
  it('are written and read by who is signed in', async () => {
    const { ada, bob } = await start()
    const { status, json } = await call(ada, 'POST', '/notes', { text: 'Hello' })
    expect(status).toBe(201)
    expect(json).toMatchObject({ author: ada.id, text: 'Hello' })
    expect((await call(bob, 'GET', '/notes')).json).toEqual({ notes: [json] })
    expect((await call(ada, 'POST', '/notes', { text: ' ' })).status).toBe(422)
    expect((await call(ada, 'POST', '/notes', { text: 'x'.repeat(281) })).status).toBe(422)
  })

  it.each([
    ['GET', '/notes'],
    ['POST', '/notes'],
    ['DELETE', '/notes/x'],
    ['DELETE', '/authors/x/notes'],
  ])('are nothing for strangers: %s %s', async (method, path) => {
    const { ada } = await start()
    const refused = await call(undefined, method, path)
    expect([refused.status, refused.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer realm="postern"'])
    const forged = await call({ ...ada, accessToken: `${ada.accessToken.slice(0, -4)}AAAA` }, method, path)
    expect([forged.status, forged.json.code]).toEqual([401, 'invalid_token'])
  })

  it('are deleted by their author, and by nobody else without content:manage', async () => {
    const { ada, bob, moderator } = await start()
    const [first, second] = [await write(ada, 'one'), await write(ada, 'two')]
    expect((await call(bob, 'DELETE', `/notes/${first}`)).status).toBe(403)
    expect((await call(bob, 'GET', '/notes')).json.notes).toHaveLength(2)
    expect((await call(ada, 'DELETE', `/notes/${first}`)).status).toBe(204)
    expect((await call(moderator, 'DELETE', `/notes/${second}`)).status).toBe(204)
    expect((await call(moderator, 'DELETE', `/notes/${second}`)).status).toBe(404)
    expect((await call(bob, 'GET', '/notes')).json.notes).toEqual([])
  })

  it('of one author are deleted all at once with content:manage, and with nothing less', async () => {
    const { ada, bob, moderator } = await start()
    for (const text of ['one', 'two']) await write(ada, text)
    await write(bob, 'mine')
    const refused = await call(ada, 'DELETE', `/authors/${ada.id}/notes`)
    expect([refused.status, refused.json.code]).toEqual([403, 'insufficient_permission'])
    expect((await call(moderator, 'DELETE', `/authors/${ada.id}/notes`)).json).toEqual({ deleted: 2 })
    expect((await call(bob, 'GET', '/notes')).json.notes).toMatchObject([{ text: 'mine' }])
  })

  it('are for a MODERATOR what the token says: a demoted one has no new token with the permission', async () => {
    const { service, moderator } = await start()
    const admin = await signIn(service, 'admin@example.com')
    const body = { role: 'USER' }
    await service.call('PUT', `/users/${moderator.id}/role`, { token: admin.accessToken, body })
    const again = await signIn(service, 'grace@example.com')
    expect((await call(again, 'DELETE', `/authors/${moderator.id}/notes`)).status).toBe(403)
  })
})
