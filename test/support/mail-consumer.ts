/** The consumer's side of the mail queue, message by message, and a Resend that answers as it is told. */
import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test'
import { vi } from 'vitest'
import type { MailJob } from '../../src/context.ts'
import { createWorker } from '../../src/worker.ts'
import { type Service, cheapWork } from './service.ts'

/** What became of one message: taken, or to come back after so many seconds. */
export type Verdict = 'acked' | { retryAfter: number | undefined } | 'neither'

/** Hands a batch to the consumer, as the queue would. What is no job is a message that somebody else put there. */
export async function consume(service: Service, bodies: unknown[], queue = 'postern-mail'): Promise<Verdict[]> {
  const worker = createWorker({
    now: service.clock.now,
    sleep: async () => undefined,
    letOthersRun: async () => undefined,
    random: () => 0.5,
    work: cheapWork,
  })
  const timestamp = service.clock.now()
  const batch = createMessageBatch<MailJob>(
    queue,
    bodies.map((body, index) => ({ id: `${index}`, timestamp, attempts: 1, body: body as MailJob })),
  )
  // What the runtime says about retries leaves out their delay.
  const verdicts = batch.messages.map((message): Verdict => {
    const index = Number(message.id)
    vi.spyOn(message, 'ack').mockImplementation(() => void (verdicts[index] = 'acked'))
    vi.spyOn(message, 'retry').mockImplementation(
      (options) => void (verdicts[index] = { retryAfter: options?.delaySeconds }),
    )
    return 'neither'
  })
  vi.spyOn(batch, 'retryAll').mockImplementation((options) => {
    for (const index of verdicts.keys()) verdicts[index] = { retryAfter: options?.delaySeconds }
  })
  const execution = createExecutionContext()
  await worker.queue(batch, service.env, execution)
  await getQueueResult(batch, execution)
  return verdicts
}

/** How Resend answers one request; `toMailbox` has it accepted. */
export type Step = (toMailbox: () => Promise<Response>, signal: AbortSignal) => Response | Promise<Response>

export const answer =
  (status: number, body: unknown, headers: Record<string, string> = {}): Step =>
  () =>
    new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers })

/** An error in Resend's own words. */
export const refuse = (statusCode: number, name: string, headers?: Record<string, string>): Step =>
  answer(statusCode, { statusCode, name, message: `${name} for ada@example.com` }, headers)

export const accept: Step = (toMailbox) => toMailbox()

export const loseConnection: Step = () => {
  throw new TypeError('Network connection lost.')
}

/** Resend took the mail, and its answer never came back. */
export const acceptAndLose: Step = async (toMailbox) => {
  await toMailbox()
  throw new TypeError('Network connection lost.')
}

export interface Sent {
  path: string
  key: string | null
  payload: string
}

/** From now on Resend does these steps, one for each request, and then accepts. Gives what it was asked. */
export function scriptResend(...steps: Step[]): Sent[] {
  const toMailbox = vi.mocked(globalThis.fetch).getMockImplementation()!
  const requests: Sent[] = []
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    const { pathname: path } = new URL(request.url)
    requests.push({ path, key: request.headers.get('Idempotency-Key'), payload: await request.clone().text() })
    return (steps.shift() ?? accept)(() => toMailbox(input, init), init!.signal as AbortSignal)
  })
  return requests
}
