/** The frame of the viewer. Its origin is opaque, so its script reaches neither the visitor's cookies nor storage. */
import './reference.css'
import { type Ask, type Told, openPort, tell } from './channel.ts'
import { showReference } from './viewer.ts'

const { port, description } = await openPort()
const waiting = new Map<number, (told: Told) => void>()
port.addEventListener('message', ({ data }: MessageEvent<Told>) => {
  waiting.get(data.number)?.(data)
  waiting.delete(data.number)
})
port.start()

let asked = 0

/** Sends a call through the page around this frame, which adds no credentials to it. */
async function send(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const { url, method, headers, body } = (
    typeof input === 'object' && 'url' in input ? input : { url: String(input), ...init }
  ) as {
    url: string
    method?: string
    headers?: HeadersInit
    body?: unknown
  }
  const number = ++asked
  const ask: Ask = {
    number,
    url,
    method: method ?? 'GET',
    headers: [...new Headers(headers)],
    body: typeof body === 'string' ? body : null,
  }
  const told = await new Promise<Told>((resolve) => {
    waiting.set(number, resolve)
    port.postMessage(ask)
  })
  if (told.status === null) throw new TypeError('The call failed.')
  const { status, statusText, headers: received, text } = told
  const response = new Response([204, 304].includes(status) ? null : text, { status, statusText, headers: received })
  return Object.defineProperty(response, 'url', { value: url })
}

// The viewer calls `fetch` itself; the policy of this frame lets it connect nowhere.
globalThis.fetch = send
try {
  await showReference(document.getElementById('reference')!, description)
  tell('shown')
} catch {
  tell('lost')
}
