import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { join } from 'node:path'
import { journal, readJournal } from './journal.ts'
import { type Mailbox, createMailbox } from './mailbox.ts'
import { type Webhook, deliver } from './webhook.ts'

const maxBodyBytes = 10 * 1024 * 1024

/** Names by which this machine calls itself. Another one means that a foreign page had its name point here (DNS rebinding). */
const ownNames = new Set(['127.0.0.1', 'localhost', '[::1]'])

export interface MailboxServer {
  url: string
  stop: () => Promise<void>
}

/** Serves a mailbox to this machine only, and keeps its mails in `mailbox.jsonl` under `stateDir`. */
export async function startMailbox(port: number, stateDir: string, webhook?: Webhook): Promise<MailboxServer> {
  const path = join(stateDir, 'mailbox.jsonl')
  const mailbox = createMailbox({
    entries: readJournal(path),
    append: journal(path),
    ...(webhook && { tell: (event) => deliver(webhook, event) }),
  })
  const server = createServer((request, response) => {
    serve(mailbox, request, response).catch((error: unknown) => {
      console.error(`The mailbox failed: ${error instanceof Error ? error.message : String(error)}`)
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  await listen(server, port)
  const address = server.address()
  const boundPort = typeof address === 'object' && address ? address.port : port
  return { url: `http://127.0.0.1:${boundPort}`, stop: () => close(server) }
}

async function serve(mailbox: Mailbox, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const name = (incoming.headers.host ?? '').replace(/:\d+$/, '')
  if (!ownNames.has(name)) {
    outgoing
      .writeHead(403, { 'content-type': 'text/plain' })
      .end('This mailbox answers to 127.0.0.1 and localhost only.\n')
    return
  }
  // Not relative to a base, of which a target like `//emails` would replace the host.
  const url = new URL(`http://${name}${incoming.url}`)
  // Node leaves the body out of the answer to a HEAD.
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

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    // Browsers hold connections open that will carry nothing any more.
    server.closeAllConnections()
  })
}
