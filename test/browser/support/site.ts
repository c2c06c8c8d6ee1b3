/** A stand-in for the deployed Worker: the real static files under their real headers, and an API that answers by script. */
import { readFile } from 'node:fs/promises'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname } from 'node:path'
import { text } from 'node:stream/consumers'
import { headersFor, parseHeaderRules } from './header-rules.ts'

export interface Call {
  path: string
  body: unknown
  contentType: string | undefined
}

/** `null` hangs up without an answer. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string>; delayMs?: number } | null

const builtPages = new URL('../../../dist/', import.meta.url)
const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

export class Site {
  readonly calls: Call[] = []
  /** Every request line and Referer, to see where a token went. */
  readonly requestLines: string[] = []
  /** Files that a newer deployment no longer has. */
  missing: RegExp | undefined
  readonly #answers = new Map<string, Answer[]>()
  readonly #server: Server
  readonly #folder: URL

  /** @param folder where the build put the files */
  constructor(folder = builtPages) {
    this.#folder = folder
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => response.destroy(error as Error))
    })
  }

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

  /** What the next calls of a path get, in this order. A call nobody planned for gets a 500 that no page expects. */
  willAnswer(path: string, ...answers: Answer[]): void {
    this.#answers.set(path, answers)
  }

  forget(): void {
    this.calls.length = 0
    this.requestLines.length = 0
    this.#answers.clear()
    this.missing = undefined
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/'
    this.requestLines.push(`${request.method} ${path} ${request.headers.referer ?? ''}`)
    await (request.method === 'POST' ? this.#call(path, request, response) : this.#file(path, response))
  }

  async #file(path: string, response: ServerResponse): Promise<void> {
    if (this.missing?.test(path)) response.writeHead(404, { 'Content-Type': 'application/problem+json' }).end('{}')
    else await serveFile(this.#folder, path, response)
  }

  async #call(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body: unknown = JSON.parse(await text(request))
    this.calls.push({ path, body, contentType: request.headers['content-type'] })
    const queue = this.#answers.get(path) ?? []
    // Chromium itself repeats a request whose kept-alive connection closed, so hanging up goes on.
    const answer = queue[0] === null ? null : (queue.shift() ?? { status: 500, body: { code: 'not_planned' } })
    if (answer === null) {
      request.socket.destroy()
      return
    }
    await new Promise((resolve) => setTimeout(resolve, answer.delayMs ?? 0))
    response.writeHead(answer.status, { 'Content-Type': 'application/json', ...answer.headers })
    response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body))
  }
}

async function serveFile(publicFolder: URL, path: string, response: ServerResponse): Promise<void> {
  const rules = parseHeaderRules(await readFile(new URL('_headers', publicFolder), 'utf8'))
  const { pathname } = new URL(path, 'http://127.0.0.1')
  // `html_handling` of Workers assets serves a page without its extension.
  const name = pathname.slice(1) + (extname(pathname) === '' ? '.html' : '')
  const content = await readFile(new URL(name, publicFolder)).catch(() => undefined)
  response.writeHead(content ? 200 : 404, {
    'Content-Type': types[extname(name)] ?? 'text/plain',
    ...headersFor(path, rules),
  })
  response.end(content)
}
