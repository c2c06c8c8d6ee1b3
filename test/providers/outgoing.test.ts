/** The limits on every request to another company. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Limits, send } from '../../src/providers/outgoing.ts'

const service = 'https://service.test/base'
const limits: Limits = { timeoutMs: 5_000, maxBytes: 10 }

let reached: string[]

/** A network in which `service.test` gives this answer. Like the platform, it follows redirects unless told not to. */
function answerWith(answer: () => Response): void {
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const { hostname } = new URL(new Request(input).url)
    reached.push(hostname)
    const response = answer()
    const location = response.headers.get('Location')
    if (location === null || init?.redirect === 'manual') return response
    reached.push(new URL(location).hostname)
    return new Response('followed')
  })
}

/** A body that starts at once and never ends. */
function endlessBody(chunk: string): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(chunk)) })
}

beforeEach(() => void (reached = []))
afterEach(() => void vi.restoreAllMocks())

describe('a request to a provider', () => {
  it('goes to the path at the provider and returns the whole answer', async () => {
    answerWith(() => new Response('0123456789', { status: 418, headers: { 'Retry-After': '7' } }))
    const { status, isOk, headers, text } = await send(service, '/other?a=b', { method: 'POST' }, limits)
    expect([status, isOk, headers.get('Retry-After'), text]).toEqual([418, false, '7', '0123456789'])
    expect(vi.mocked(globalThis.fetch).mock.calls[0]).toMatchObject([
      'https://service.test/other?a=b',
      { method: 'POST' },
    ])
  })

  it('goes to the URL of the provider itself if there is no path', async () => {
    answerWith(() => new Response(null, { status: 204 }))
    expect(await send(service, '', {}, limits)).toMatchObject({ status: 204, isOk: true, text: '' })
    expect(vi.mocked(globalThis.fetch).mock.calls[0]?.[0]).toBe(service)
  })

  it.each([
    '//evil.test/x',
    'https://evil.test/',
    'https://service.test:8443/',
    'http://service.test/',
    'https://service.test@evil.test/',
    '\\\\evil.test\\x',
  ])('is never sent to another origin: %s', async (path) => {
    answerWith(() => new Response('ok'))
    await expect(send(service, path, {}, limits)).rejects.toMatchObject({ reason: 'foreign_host' })
    expect(reached).toEqual([])
  })

  it('returns a redirect as the answer and does not follow it', async () => {
    answerWith(() => new Response('moved', { status: 307, headers: { Location: 'https://evil.test/' } }))
    expect(await send(service, '', {}, limits)).toMatchObject({ status: 307, isOk: false, text: 'moved' })
    expect(reached).toEqual(['service.test'])
  })
})

describe('the answer of a provider', () => {
  it('is cut off once it is too large, whatever its Content-Length says', async () => {
    const cancelled = vi.fn<() => void>()
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(6)),
      cancel: cancelled,
    })
    answerWith(() => new Response(body, { headers: { 'Content-Length': '6' } }))
    await expect(send(service, '', {}, limits)).rejects.toMatchObject({ reason: 'too_large' })
    expect(cancelled).toHaveBeenCalled()
  })

  it('keeps its status and headers if it is a refusal whose body is too large', async () => {
    answerWith(() => new Response('0123456789'.repeat(1000), { status: 429, headers: { 'Retry-After': '7' } }))
    const { status, headers, text } = await send(service, '', {}, limits)
    expect([status, headers.get('Retry-After'), text]).toEqual([429, '7', ''])
  })

  it('is given up if its body comes too slowly', { timeout: 20_000 }, async () => {
    answerWith(() => new Response(endlessBody('01')))
    const sent = send(service, '', {}, { ...limits, timeoutMs: 50 })
    await expect(sent).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  it('is given up if it does not come', { timeout: 20_000 }, async () => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(
      (_, init) =>
        new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))),
    )
    const sent = send(service, '', {}, { ...limits, timeoutMs: 50 })
    await expect(sent).rejects.toMatchObject({ name: 'TimeoutError' })
  })
})
