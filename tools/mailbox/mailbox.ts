import { type Context, Hono } from 'hono'
import { sha256 } from '../../src/crypto/digest.ts'
import { eventAbout } from './events.ts'
import { IdempotencyKeys, type KeyUse, idempotencyKey } from './idempotency.ts'
import { type Draft, type Mail, listed, resendTime, retrieved } from './mail.ts'
import { createPages } from './page.ts'
import { readDraft } from './payload.ts'
import { Refusal } from './refusal.ts'

/** Everything that one accepted request adds to the mailbox. It is written and read back as one unit. */
export interface Entry {
  mails: Mail[]
  use?: KeyUse
}

export interface MailboxOptions {
  /** The entries of an earlier mailbox. */
  entries?: Iterable<Entry>
  /** Stores an entry. Called before the request is answered. */
  append?: (entry: Entry) => void
  now?: () => Date
  /** Sends an event to the service, as Resend's webhooks do, and returns the status of its answer. */
  tell?: (event: object) => Promise<number>
}

export interface Mailbox {
  handle: (request: Request) => Promise<Response>
  /** Every email, the newest first. */
  mails: () => Mail[]
}

const maxBatch = 100

/**
 * A stand-in for Resend that keeps emails instead of sending them.
 *
 * It speaks Resend's wire format, so that the service runs the same code in development as in production, and shows the
 * emails as a page at `/`. It runs in Node and in workerd.
 */
export function createMailbox({ entries = [], append, now = () => new Date(), tell }: MailboxOptions = {}): Mailbox {
  const mails: Mail[] = []
  const keys = new IdempotencyKeys()

  function keep(entry: Entry): void {
    mails.push(...entry.mails)
    if (entry.use) keys.remember(entry.use)
  }
  for (const entry of entries) keep(entry)

  function newestFirst(): Mail[] {
    return mails.toReversed()
  }

  async function accept(request: Request, path: string, read: (payload: unknown) => Accepted): Promise<Response> {
    const key = idempotencyKey(request)
    const text = await request.text()
    const fingerprint = await sha256(text)
    // No `await` after this line: of two concurrent requests with one key, the second must see the first.
    const repeated = key === null ? undefined : keys.replay(path, key, fingerprint, now().getTime())
    if (repeated !== undefined) return Response.json(repeated)
    const { drafts, answer } = read(parse(text))
    const added = drafts.map((draft) => ({ id: crypto.randomUUID(), created_at: resendTime(now()), ...draft }))
    const body = answer(added.map(({ id }) => ({ id })))
    const use = key !== null && { path, key, fingerprint, answer: body, at: now().getTime() }
    const entry: Entry = { mails: added, ...(use && { use }) }
    append?.(entry)
    keep(entry)
    return Response.json(body)
  }

  function find(id: string): Mail {
    const mail = mails.find((each) => each.id === id)
    if (!mail) throw new Refusal('not_found', 'Email not found')
    return mail
  }

  const app = new Hono()
    .route('/', createPages(newestFirst))
    .use('/emails/*', async (c, next) => {
      if (!/^Bearer +\S/i.test(c.req.header('authorization') ?? '')) {
        throw new Refusal('missing_api_key', 'Missing API Key')
      }
      await next()
    })
    .post('/emails', (c) => accept(c.req.raw, c.req.path, one))
    .get('/emails', (c) => c.json(list(newestFirst(), new URL(c.req.url).searchParams)))
    .post('/emails/batch', (c) => {
      const isPermissive = c.req.header('x-batch-validation') === 'permissive'
      return accept(c.req.raw, c.req.path, (payload) => many(payload, isPermissive))
    })
    .all('/emails/batch', notAllowed)
    .get('/emails/:id', (c) => c.json(retrieved(find(c.req.param('id')))))
  if (tell) {
    // Not part of Resend's API: there events happen, here a developer triggers them.
    app.post('/emails/:id/events', async (c) => {
      const about = eventAbout(find(c.req.param('id')), parse(await c.req.text()), now())
      return c.json({ event: about, answered: await tell(about) })
    })
    app.all('/emails/:id/events', notAllowed)
  }
  app.on('ALL', ['/emails', '/emails/:id'], notAllowed)
  app.notFound(() => new Refusal('not_found', 'The requested endpoint does not exist.').toResponse())
  app.onError((error) => {
    if (error instanceof Refusal) return error.toResponse()
    throw error
  })

  return { handle: async (request) => app.fetch(request), mails: newestFirst }
}

interface Accepted {
  drafts: Draft[]
  answer: (ids: { id: string }[]) => unknown
}

function one(payload: unknown): Accepted {
  return { drafts: [readDraft(payload)], answer: ([first]) => first }
}

/**
 * A strict batch is kept as a whole or not at all. A permissive one keeps the valid emails and lists the others by
 * index.
 */
function many(payload: unknown, isPermissive: boolean): Accepted {
  if (!Array.isArray(payload) || payload.length === 0) {
    throw new Refusal('validation_error', 'The batch must be a non-empty array of emails.')
  }
  if (payload.length > maxBatch) {
    throw new Refusal('validation_error', `The batch accepts at most ${maxBatch} emails.`)
  }
  const drafts: Draft[] = []
  const errors: { index: number; message: string }[] = []
  for (const [index, each] of payload.entries()) {
    try {
      drafts.push(readDraft(each))
    } catch (error) {
      if (!isPermissive || !(error instanceof Refusal)) throw error
      errors.push({ index, message: error.message })
    }
  }
  return { drafts, answer: (ids) => (isPermissive ? { data: ids, errors } : { data: ids }) }
}

function list(mails: Mail[], query: URLSearchParams) {
  const limit = Number(query.get('limit') ?? 20)
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
    throw new Refusal('validation_error', 'The `limit` must be a whole number from 1 to 100.')
  }
  const [after, before] = [query.get('after'), query.get('before')]
  if (after !== null && before !== null) {
    throw new Refusal('validation_error', 'The `after` and `before` parameters cannot be used together.')
  }
  if (before !== null) {
    const newer = mails.slice(0, placeOf(mails, before))
    return { object: 'list', has_more: newer.length > limit, data: newer.slice(-limit).map(listed) }
  }
  const older = after === null ? mails : mails.slice(placeOf(mails, after) + 1)
  return { object: 'list', has_more: older.length > limit, data: older.slice(0, limit).map(listed) }
}

function placeOf(mails: Mail[], id: string): number {
  const place = mails.findIndex((mail) => mail.id === id)
  if (place < 0) throw new Refusal('validation_error', 'The cursor is not the id of an email.')
  return place
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal('validation_error', 'The payload is not valid JSON.')
  }
}

function notAllowed({ req }: Context): never {
  throw new Refusal('method_not_allowed', `The method ${req.method} is not allowed for this endpoint.`)
}
