/** A stand-in for Pwned Passwords that knows the passwords of a test, or gives its answer. */
import { createHash } from 'node:crypto'
import { env } from 'cloudflare:workers'
import { onTestFinished, vi } from 'vitest'

export const breachListUrl = 'https://pwned.test'

/** The first five hex digits of a password's SHA-1 and the other thirty-five, by another implementation than ours. */
export function digestOf(password: string): { prefix: string; suffix: string } {
  const sha1 = createHash('sha1').update(password.normalize('NFC')).digest('hex').toUpperCase()
  return { prefix: sha1.slice(0, 5), suffix: sha1.slice(5) }
}

export type RangeAnswer = (request: Request) => Response | Promise<Response>

/** As the real service answers with padding: in no order worth relying on, lines ended as in HTTP. */
export function range(...lines: string[]): Response {
  const others = ['0018A45C4D1DEF81644B54AB7F969B88D65:21', '00D4F6E8FA6EECAD2A3AA415EEC418D38EC:0']
  return new Response([...others, ...lines].join('\r\n'), { headers: { 'Content-Type': 'text/plain' } })
}

/**
 * Serves the list from now on. The service under test has to be started before.
 *
 * @param answer the breached passwords, or the answer itself
 * @returns the requests that arrive
 */
export function serveBreachList(answer: readonly string[] | RangeAnswer): Request[] {
  const requests: Request[] = []
  // Test files share a worker, and so the cache of its location.
  onTestFinished(async () => {
    await Promise.all(requests.map(({ url }) => caches.default.delete(`${env.PUBLIC_URL}/${url}`)))
  })
  const elsewhere = vi.mocked(globalThis.fetch).getMockImplementation()!
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (new URL(request.url).origin !== breachListUrl) return elsewhere(input, init)
    requests.push(request)
    if (typeof answer === 'function') return answer(request)
    const asked = new URL(request.url).pathname.slice(-5)
    const found = answer.map(digestOf).filter(({ prefix }) => prefix === asked)
    return range(...found.map(({ suffix }) => `${suffix}:3`))
  })
  return requests
}
