import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'

/** What happens to a mail on its way: nothing, or it hangs for ever on one side of the mailbox or the other. */
export type GatePosition = 'open' | 'closed before the mailbox' | 'closed after the mailbox'

export interface MailboxGate {
  url: string
  set: (position: GatePosition) => void
  /** Fulfilled when a request has got as far as the gate lets it. */
  untilReached: () => Promise<void>
  stop: () => Promise<void>
}

/** Stands between the Worker and the mailbox, to make the moments last between which a kill makes a difference. */
export async function startMailboxGate(mailboxUrl: string): Promise<MailboxGate> {
  let position: GatePosition = 'open'
  let reached = Promise.withResolvers<void>()
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await read(request)
    if (position === 'closed before the mailbox') return reached.resolve()
    const headers = Object.entries(request.headers).filter(([name]) =>
      /^(authorization|content-type|idempotency-key|x-batch-validation)$/.test(name),
    )
    const answer = await fetch(mailboxUrl + request.url, {
      method: request.method ?? 'GET',
      headers: Object.fromEntries(headers) as Record<string, string>,
      ...(body !== '' && { body }),
    })
    const text = await answer.text()
    if (position === 'closed after the mailbox') return reached.resolve()
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
    reached.resolve()
  }
  // A caller that is killed in the middle of its request is what this is for.
  const server = createServer((request, response) => void pass(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    set(next) {
      position = next
      reached = Promise.withResolvers()
    },
    untilReached: () => reached.promise,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk)
  return text
}
