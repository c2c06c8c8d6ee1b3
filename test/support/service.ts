/** The whole Worker in the test's own process: real D1 and KV, a recorded queue, a mailbox for Resend, a clock to turn. */
import {
  createExecutionContext,
  createMessageBatch,
  createScheduledController,
  getQueueResult,
  waitOnExecutionContext,
} from 'cloudflare:test'
import { env as bindings } from 'cloudflare:workers'
import { vi } from 'vitest'
import type { MailJob, Platform } from '../../src/context.ts'
import { replicaMs } from '../../src/services/sessions/signed-in.ts'
import { trustSchema } from '../../src/store/migrations.ts'
import { createWorker } from '../../src/worker.ts'
import { type Mailbox, createMailbox } from '../../tools/mailbox/mailbox.ts'
import { Clock } from './clock.ts'
import { type Answer, checkAnswer } from './conformance.ts'
import { description } from './description.ts'
import { laggingD1 } from './lagging-d1.ts'

export type { Answer }

export interface Call {
  body?: unknown
  /** Sent as it is, instead of `body`. */
  raw?: BodyInit
  token?: string
  headers?: Record<string, string>
  /** As from another Worker on the same account, and not over the internet. */
  withoutAddress?: true
  /** Where Cloudflare says that it comes from. */
  country?: string
}

export interface Service {
  clock: Clock
  env: Env
  mailbox: Mailbox
  /** The queue's messages that nobody took yet. */
  queued: MailJob[]
  /** Calls and waits for what is deferred until after the answer. */
  call: (method: string, path: string, call?: Call) => Promise<Answer>
  /** Calls and waits for the answer alone. */
  answer: (method: string, path: string, call?: Call) => Promise<Answer>
  /** The same for a program that brings its own requests. */
  fetch: typeof globalThis.fetch
  /** Delivers what is queued, and what that queues. */
  deliver: () => Promise<void>
  runCron: (cron: string) => Promise<void>
}

export interface ServiceOptions {
  env?: Partial<Env>
  platform?: Partial<Platform>
  /** Another service of the same test, with whom this one has the clock and the mailbox in common. */
  beside?: Service
  /** Asks the database for its migrations, as a new start of the Worker does. */
  checksSchema?: true
}

/** No pause takes time here, but a replica gets all the time it needs: no other pause may be as long. */
const sleepUnlessForReplica = (ms: number): Promise<void> =>
  ms === replicaMs ? new Promise(() => undefined) : Promise.resolve()

export const cheapWork = { rounds: 1, iterations: 1000 }

export function startService(options: ServiceOptions = {}): Service {
  const clock = options.beside?.clock ?? new Clock()
  const queued: MailJob[] = []
  const queue = {
    send: async (job: MailJob) => void queued.push(job),
    sendBatch: async (jobs: Iterable<{ body: MailJob }>) => void queued.push(...Array.from(jobs, ({ body }) => body)),
  }
  const env = {
    ...bindings,
    MAIL_QUEUE: queue as unknown as Env['MAIL_QUEUE'],
    ASSETS: { fetch: async (request: Request) => fileOf(request) } as unknown as Fetcher,
    // A test that is content with the usual database can be run with a replica of it that lags.
    ...(bindings.READ_REPLICAS === 'true' &&
      (options.env?.DB ? { READ_REPLICAS: 'false' } : { DB: laggingD1().binding })),
    ...options.env,
  }
  const platform = {
    now: clock.now,
    sleep: sleepUnlessForReplica,
    letOthersRun: async () => undefined,
    random: () => 0.5,
    work: cheapWork,
    ...options.platform,
  }
  if (env.DB && !options.checksSchema) trustSchema(env.DB)
  const worker = createWorker(platform)
  const mailbox = options.beside?.mailbox ?? createMailbox({ now: clock.now })
  answerAsResend(mailbox)

  const call = (method: string, path: string, content?: Call) => request(method, path, content, true)
  const answer = (method: string, path: string, content?: Call) => request(method, path, content, false)

  async function request(
    method: string,
    path: string,
    { body, raw, token, headers = {}, withoutAddress, country }: Call = {},
    waitsForDeferred: boolean,
  ): Promise<Answer> {
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const incoming = new Request(`https://accounts.example.com${path}`, {
      method,
      headers: {
        ...(content !== undefined && { 'Content-Type': 'application/json' }),
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(!withoutAddress && { 'CF-Connecting-IP': '203.0.113.7' }),
        ...headers,
      },
      ...(content !== undefined && { body: content }),
      ...(country !== undefined && { cf: { country } }),
    })
    const response = await ask(incoming, waitsForDeferred)
    return read(method, path, response)
  }

  async function ask(incoming: Request, waitsForDeferred: boolean): Promise<Response> {
    const execution = createExecutionContext()
    const response = await worker.fetch(incoming as Parameters<typeof worker.fetch>[0], env, execution)
    if (waitsForDeferred) await waitOnExecutionContext(execution)
    return response
  }

  async function read(method: string, path: string, response: Response): Promise<Answer> {
    const text = await response.text()
    const isJson = text !== '' && /json/.test(response.headers.get('Content-Type') ?? '')
    const { status, headers } = response
    const answer = { status, headers, text, json: isJson ? JSON.parse(text) : undefined }
    checkAnswer(method, path, answer)
    return answer
  }

  async function fetchFrom(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const incoming = new Request(input, init)
    incoming.headers.set('CF-Connecting-IP', '203.0.113.7')
    const response = await ask(incoming, true)
    const { pathname, search } = new URL(incoming.url)
    await read(incoming.method, pathname + search, response.clone())
    return response
  }

  async function deliver(): Promise<void> {
    for (let jobs = queued.splice(0); jobs.length > 0; jobs = queued.splice(0)) {
      const timestamp = clock.now()
      const messages = jobs.map((body, index) => ({ id: `${index}`, timestamp, attempts: 1, body }))
      const batch = createMessageBatch<MailJob>('postern-mail', messages)
      const execution = createExecutionContext()
      await worker.queue(batch, env, execution)
      await getQueueResult(batch, execution)
    }
  }

  async function runCron(cron: string): Promise<void> {
    const execution = createExecutionContext()
    await worker.scheduled(createScheduledController({ cron, scheduledTime: clock.now() }), env, execution)
    await waitOnExecutionContext(execution)
  }

  return { clock, env, mailbox, queued, call, answer, fetch: fetchFrom, deliver, runCron }
}

/** A static file, as far as the Worker asks for any. The pages need not be built for this. */
function fileOf({ url }: Request): Response {
  const { pathname } = new URL(url)
  if (pathname === '/openapi.json') return Response.json(description)
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': "default-src 'none'; of-page",
  }
  return pathname.startsWith('/errors/')
    ? new Response(`<h1>${pathname}</h1>`, { headers })
    : new Response('', { status: 404 })
}

/** Nothing else may leave the Worker. */
function answerAsResend(mailbox: Mailbox): void {
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith('https://resend.test/')) throw new Error(`unexpected request to ${request.url}`)
    return mailbox.handle(new Request(request.url.replace('https://resend.test', 'http://127.0.0.1'), request))
  })
}
