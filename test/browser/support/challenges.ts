/** Stands in for Cloudflare Turnstile: the script of the widget, its frame, and siteverify, which takes a token once. */
import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

interface Question {
  response: string
}

export class Challenges {
  /** The actions of the tokens that were good, in order. */
  readonly accepted: string[] = []
  /** How many tokens were refused. */
  refused = 0
  /** Whether the script cannot be loaded, as behind a content blocker. */
  isBlocked = false
  /** Whether a person has to press a button in the frame. */
  isInteractive = false
  /** How many of the next tokens siteverify does not take. */
  badTokens = 0
  readonly #actions = new Map<string, string>()
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response))

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.origin)
    const send = (type: string, body: string) => response.writeHead(200, { 'Content-Type': type }).end(body)
    if (this.isBlocked) response.destroy()
    else if (pathname === '/api.js') send('text/javascript', widgetScript)
    else if (pathname === '/frame') send('text/html', this.#frame(searchParams.get('action') ?? ''))
    else if (pathname === '/siteverify') {
      send('application/json', JSON.stringify(this.#verify((await json(request)) as Question)))
    } else response.writeHead(404).end()
  }

  #frame(action: string): string {
    const token = randomUUID()
    this.#actions.set(token, action)
    const solve = `parent.postMessage({ token: '${token}' }, '*')`
    return this.isInteractive
      ? `<html lang="en"><title>Check</title><button onclick="${solve}">I am human</button></html>`
      : `<html lang="en"><title>Check</title><script>${solve}</script></html>`
  }

  #verify({ response: token }: Question): object {
    const action = this.#actions.get(token)
    this.#actions.delete(token)
    if (action === undefined || this.badTokens-- > 0) {
      this.refused++
      return { success: false, 'error-codes': ['timeout-or-duplicate'] }
    }
    this.accepted.push(action)
    return { success: true, hostname: 'localhost', action }
  }
}

/** Has the calls of Turnstile's script that the pages use. */
const widgetScript = `
const widgets = new Map()
addEventListener('message', ({ source, data }) => {
  for (const { frame, options } of widgets.values()) if (frame.contentWindow === source) options.callback(data.token)
})
const load = ({ frame, options }) => {
  frame.src = new URL('/frame?' + new URLSearchParams({ action: options.action, key: options.sitekey }), here)
}
const here = document.currentScript.src
globalThis.turnstile = {
  render(place, options) {
    const frame = document.createElement('iframe')
    frame.title = 'Turnstile'
    const id = 'widget-' + widgets.size
    const [width, height] = options.size === 'compact' ? [150, 140] : [place.clientWidth, 65]
    Object.assign(frame, { width, height })
    frame.style.border = '0'
    widgets.set(id, { frame, options })
    place.append(frame)
    load(widgets.get(id))
    return id
  },
  reset: (id) => load(widgets.get(id)),
  remove: (id) => { widgets.get(id).frame.remove(); widgets.delete(id) },
}
`
