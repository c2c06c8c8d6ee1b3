/** The example Worker, with access tokens of the real service. */
import { env } from 'cloudflare:workers'
import { describe, expect, vi } from 'vitest'
import worker from '../../examples/notes/src/index.ts'
import { minute } from '../support/clock.ts'
import { it as plainIt } from '../support/fixtures.ts'
import type { Service } from '../support/service.ts'

/** The notes can be in any KV namespace. */
const bindings = { NOTES: env.REVOCATIONS, POSTERN_ISSUER: 'https://accounts.example.com' }

const it = plainIt
  .extend('options', async () => ({ platform: { now: () => new Date() } }))
  .extend('bob', ({ people }) => people.signUp('bob@example.com'))

interface Note {
  id: string
  author: string
  text: string
}
/** Every member of the answers of the example. */
type Json = Partial<Note & { notes: Note[]; deleted: number; code: string }>

async function call(
  who: { accessToken: string; service: Service } | undefined,
  method: string,
  path: string,
  body?: object,
) {
  // The middleware gets the key set of Postern over the network.
  if (who) vi.spyOn(globalThis, 'fetch').mockImplementation(who.service.fetch)
  const headers = { ...(who && { Authorization: `Bearer ${who.accessToken}` }), 'Content-Type': 'application/json' }
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
  const response = await worker.request(path, init, bindings)
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: (text ? JSON.parse(text) : {}) as Json }
}

async function write(who: { accessToken: string; service: Service }, text: string): Promise<string> {
  const { json } = await call(who, 'POST', '/notes', { text })
  return json.id!
}

describe('notes', () => {
  it('are written and read by signed-in users', async ({ ada, bob }) => {
    const { status, json } = await call(ada, 'POST', '/notes', { text: 'Hello' })
    expect(status).toBe(201)
    expect(json).toMatchObject({ author: ada.id, text: 'Hello' })
    expect((await call(bob, 'GET', '/notes')).json).toEqual({ notes: [json] })
    expect((await call(ada, 'POST', '/notes', { text: ' ' })).status).toBe(422)
    expect((await call(ada, 'POST', '/notes', { text: 'x'.repeat(281) })).status).toBe(422)
  })

  it.for([
    { method: 'GET', path: '/notes' },
    { method: 'POST', path: '/notes' },
    { method: 'DELETE', path: '/notes/x' },
    { method: 'DELETE', path: '/authors/x/notes' },
  ])('are refused without a good token: $method $path', async ({ method, path }, { ada }) => {
    const refused = await call(undefined, method, path)
    expect([refused.status, refused.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer realm="postern"'])
    const forged = await call(
      { service: ada.service, accessToken: `${ada.accessToken.slice(0, -4)}AAAA` },
      method,
      path,
    )
    expect([forged.status, forged.json.code]).toEqual([401, 'invalid_token'])
  })

  it('are deleted by their author, or by a user with content:manage', async ({ ada, bob, moderator }) => {
    const [first, second] = [await write(ada, 'one'), await write(ada, 'two')]
    expect((await call(bob, 'DELETE', `/notes/${first}`)).status).toBe(403)
    expect((await call(bob, 'GET', '/notes')).json.notes).toHaveLength(2)
    expect((await call(ada, 'DELETE', `/notes/${first}`)).status).toBe(204)
    expect((await call(moderator, 'DELETE', `/notes/${second}`)).status).toBe(204)
    expect((await call(moderator, 'DELETE', `/notes/${second}`)).status).toBe(404)
    expect((await call(bob, 'GET', '/notes')).json.notes).toEqual([])
  })

  it('of one author are deleted together, with content:manage only', async ({ ada, bob, moderator }) => {
    for (const text of ['one', 'two']) await write(ada, text)
    await write(bob, 'mine')
    const refused = await call(ada, 'DELETE', `/authors/${ada.id}/notes`)
    expect([refused.status, refused.json.code]).toEqual([403, 'insufficient_permission'])
    expect((await call(moderator, 'DELETE', `/authors/${ada.id}/notes`)).json).toEqual({ deleted: 2 })
    expect((await call(bob, 'GET', '/notes')).json.notes).toMatchObject([{ text: 'mine' }])
  })

  it('of one author are deleted only after a recent sign-in, which a refresh does not replace', async ({
    moderator,
  }) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11 * minute })
    const later = await moderator.renewed()
    const refused = await call(later, 'DELETE', `/authors/${moderator.id}/notes`)
    vi.useRealTimers()
    expect([refused.status, refused.json.code]).toEqual([401, 'insufficient_user_authentication'])
    expect(refused.headers.get('WWW-Authenticate')).toMatch(
      /acr_values="urn:postern:1 urn:postern:2 phr", max_age="600"$/,
    )
  })

  it('are protected from a demoted MODERATOR, whose next token lacks the permission', async ({ admin, moderator }) => {
    await admin.assignRole(moderator, 'USER')
    const again = await moderator.signIn()
    expect((await call(again, 'DELETE', `/authors/${moderator.id}/notes`)).status).toBe(403)
  })
})
