import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { serveLocally } from '../../../tools/local-http.ts'

/** `closed …`: the request or its answer never gets through. */
export type GatePosition = 'open' | 'closed before the mailbox' | 'closed after the mailbox'

export interface MailboxGate {
  url: string
  set: (position: GatePosition) => void
  /** Resolves when a request has got as far as the gate lets it. */
  untilReached: () => Promise<void>
  stop: () => Promise<void>
}

/** A proxy between the Worker and the mailbox. It holds a delivery at the moment at which a kill is to be tested. */
export async function startMailboxGate(mailboxUrl: string): Promise<MailboxGate> {
  let position: GatePosition = 'open'
  let reached = Promise.withResolvers<void>()
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    if (position === 'closed before the mailbox') return reached.resolve()
    const headers = Object.entries(request.headers).filter(([name]) =>
      /^(authorization|content-type|idempotency-key|x-batch-validation)$/.test(name),
    )
    const answer = await fetch(mailboxUrl + request.url, {
      method: request.method ?? 'GET',
      headers: Object.fromEntries(headers) as Record<string, string>,
      ...(body !== '' && { body }),
    })
    const answered = await answer.text()
    if (position === 'closed after the mailbox') return reached.resolve()
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answered)
    reached.resolve()
  }
  // A caller may be killed in the middle of its request.
  const { url, stop } = await serveLocally((request, response) => {
    pass(request, response).catch(() => response.destroy())
  })
  return {
    url,
    set(next) {
      position = next
      reached = Promise.withResolvers()
    },
    untilReached: () => reached.promise,
    stop,
  }
}
