/** Where and how a 422 says that a rule was broken. */
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import type { AppError } from '../../src/errors.ts'
import { valid } from '../../src/http/validate.ts'

const text = z.string()

async function errorsOf(schema: z.ZodType, body: unknown) {
  const app = new Hono().onError((error, c) => c.json((error as AppError).errors))
  app.post('/', valid('json', schema), (c) => c.json([]))
  const headers = { 'Content-Type': 'application/json' }
  const answer = await app.request('/', { method: 'POST', headers, body: JSON.stringify(body) })
  const errors = await answer.json<{ pointer: string; code: string }[]>()
  return errors.map(({ pointer, code }) => `${pointer} ${code}`)
}

describe('a broken rule', () => {
  it.each([
    ['inside', z.object({ a: z.object({ b: z.array(text) }) }), { a: { b: ['x', 7] } }, '/a/b/1 invalid_type'],
    ['whose name needs escaping', z.object({ 'a/b~c/d~1': text }), { 'a/b~c/d~1': 7 }, '/a~1b~0c~1d~01 invalid_type'],
    ['that is not there', z.object({ a: text }), {}, '/a required'],
    ['that is null', z.object({ a: text }), { a: null }, '/a invalid_type'],
    ['that is too short', z.object({ a: text.min(2) }), { a: 'x' }, '/a too_small'],
    [
      'with a code of its own',
      z.object({ a: text.refine(() => false, { params: { code: 'invalid_locale' } }) }),
      { a: '' },
      '/a invalid_locale',
    ],
    ['with none', z.object({ a: text.refine(() => false) }), { a: '' }, '/a invalid'],
    ['of the whole', text, 7, ' invalid_type'],
    [
      'that only sounds as if nothing were there',
      z.object({ a: text.min(2, 'received undefined') }),
      { a: 'x' },
      '/a too_small',
    ],
  ])('is named by a pointer (RFC 6901) and a code: a field %s', async (_, schema, body, error) => {
    expect(await errorsOf(schema, body)).toEqual([error])
  })

  it('is one of all that are', async () => {
    expect(await errorsOf(z.object({ a: text, b: text }), { a: 7 })).toEqual(['/a invalid_type', '/b required'])
  })
})

describe('a body', () => {
  it('is refused unless it is sent as JSON, by the rule for it alone', async () => {
    const app = new Hono().onError((error, c) => c.text((error as AppError).code))
    app.post('/', valid('json', z.object({})), (c) => c.text('accepted'))
    const answerTo = async (init: RequestInit) => (await app.request('/', { method: 'POST', ...init })).text()
    expect(await answerTo({ body: '{}', headers: { 'Content-Type': 'application/json' } })).toBe('accepted')
    expect(await answerTo({ body: new URLSearchParams({ a: 'b' }) })).toBe('unsupported_media_type')
    expect(await answerTo({ body: '{', headers: { 'Content-Type': 'application/json' } })).toBe('malformed_json')
  })
})
