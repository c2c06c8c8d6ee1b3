import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type LocalHttp, serveLocally } from '../local-http.ts'
import { messageOf } from '../command.ts'
import { journal, readJournal } from './journal.ts'
import { type Mailbox, createMailbox } from './mailbox.ts'
import { type Webhook, deliver } from './webhook.ts'

export type MailboxServer = LocalHttp

const maxBodyBytes = 10 * 1024 * 1024

/** Names of this machine. Any other means that a foreign page has its own name point here (DNS rebinding). */
const ownNames = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** Serves a mailbox to this machine only, and keeps its emails in `mailbox.jsonl` under `stateDir`. */
export async function startMailbox(port: number, stateDir: string, webhook?: Webhook): Promise<MailboxServer> {
  const path = join(stateDir, 'mailbox.jsonl')
  const mailbox = createMailbox({
    entries: readJournal(path),
    append: journal(path),
    ...(webhook && { tell: (event) => deliver(webhook, event) }),
  })
  return serveLocally((request, response) => {
    serve(mailbox, request, response).catch((error: unknown) => {
      console.error(`The mailbox failed: ${messageOf(error)}`)
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  }, port)
}

/** Passes a request on. By hand, because `@hono/node-server` would be a dependency for this one function. */
async function serve(mailbox: Mailbox, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const name = (incoming.headers.host ?? '').replace(/:\d+$/, '')
  if (!ownNames.has(name)) {
    outgoing
      .writeHead(403, { 'content-type': 'text/plain' })
      .end('This mailbox answers to 127.0.0.1 and localhost only.\n')
    return
  }
  // Not resolved against a base: a target such as `//emails` would replace the host.
  const url = new URL(`http://${name}${incoming.url}`)
  // Node omits the body of an answer to HEAD.
  const method = incoming.method === 'HEAD' ? 'GET' : incoming.method!
  const body = await read(incoming)
  if (body === undefined) {
    outgoing.writeHead(413, { connection: 'close' }).end()
    return
  }
  const response = await mailbox.handle(
    new Request(url, {
      method,
      headers: Object.entries(incoming.headers).flatMap(([header, value]) =>
        typeof value === 'string' ? [[header, value] as [string, string]] : [],
      ),
      ...(body.length > 0 && method !== 'GET' && { body }),
    }),
  )
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.end(Buffer.from(await response.arrayBuffer()))
}

/** `undefined` for a body that is too large. */
async function read(incoming: IncomingMessage): Promise<Buffer<ArrayBuffer> | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of incoming) {
    const bytes = Buffer.from(chunk as Uint8Array)
    length += bytes.length
    if (length > maxBodyBytes) return undefined
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
