import { eventAbout } from './events.ts'
import { IdempotencyKeys, type KeyUse, fingerprintOf, idempotencyKey } from './idempotency.ts'
import { type Draft, type Mail, listed, resendTime, retrieved } from './mail.ts'
import { page } from './page.ts'
import { readDraft } from './payload.ts'
import { Refusal } from './refusal.ts'

/** What one accepted request adds to the mailbox: the unit that is written down and read back. */
export interface Entry {
  mails: Mail[]
  use?: KeyUse
}

export interface MailboxOptions {
  /** What an earlier mailbox wrote down. */
  entries?: Iterable<Entry>
  /** Writes an entry down; called before the request is answered. */
  append?: (entry: Entry) => void
  now?: () => Date
  /** Tells the service what became of a mail, as Resend's webhooks do; gives the status of its answer. */
  tell?: (event: object) => Promise<number>
}

export interface Mailbox {
  handle: (request: Request) => Promise<Response>
  /** Every mail, the newest first. */
  mails: () => Mail[]
}

const maxBatch = 100

/**
 * A stand-in for Resend that keeps mails instead of sending them.
 *
 * It speaks Resend's wire format, so that the service runs the same code in development as in production, and shows
 * the mails as a page at `/`. Only web-standard types: it runs in Node as well as in workerd.
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

  function add(drafts: Draft[]): Mail[] {
    return drafts.map((draft) => ({ id: crypto.randomUUID(), created_at: resendTime(now()), ...draft }))
  }

  async function accept(request: Request, path: string, read: (payload: unknown) => Accepted): Promise<Response> {
    const key = idempotencyKey(request)
    const text = await request.text()
    const fingerprint = await fingerprintOf(text)
    // No `await` from here on: of two requests with one key, the second finds what the first has left.
    const repeated = key === null ? undefined : keys.replay(path, key, fingerprint, now().getTime())
    if (repeated !== undefined) return Response.json(repeated)
    const { drafts, answer } = read(parse(text))
    const added = add(drafts)
    const body = answer(added.map(({ id }) => ({ id })))
    const entry: Entry = {
      mails: added,
      ...(key !== null && { use: { path, key, fingerprint, answer: body, at: now().getTime() } }),
    }
    append?.(entry)
    keep(entry)
    return Response.json(body)
  }

  async function api(request: Request, url: URL): Promise<Response> {
    const path = url.pathname
    const [, id, isAboutEvents] = /^\/emails\/([^/]+)(\/events)?$/.exec(path) ?? []
    if ((path !== '/emails' && id === undefined) || (isAboutEvents && !tell)) {
      throw new Refusal('not_found', 'The requested endpoint does not exist.')
    }
    if (!/^Bearer +\S/i.test(request.headers.get('authorization') ?? '')) {
      throw new Refusal('missing_api_key', 'Missing API Key')
    }
    if (path === '/emails' && request.method === 'POST') return accept(request, path, one)
    if (path === '/emails/batch' && request.method === 'POST') {
      const isPermissive = request.headers.get('x-batch-validation') === 'permissive'
      return accept(request, path, (payload) => many(payload, isPermissive))
    }
    if (isAboutEvents && request.method === 'POST') return event(request, id!)
    if (request.method !== 'GET' || id === 'batch' || isAboutEvents) {
      throw new Refusal('method_not_allowed', `The method ${request.method} is not allowed for this endpoint.`)
    }
    if (id === undefined) return Response.json(list(newestFirst(), url.searchParams))
    return Response.json(retrieved(find(id)))
  }

  function find(id: string): Mail {
    const mail = mails.find((each) => each.id === id)
    if (!mail) throw new Refusal('not_found', 'Email not found')
    return mail
  }

  /** Not of Resend's API: at Resend events happen, here a developer makes them happen. */
  async function event(request: Request, id: string): Promise<Response> {
    const about = eventAbout(find(id), parse(await request.text()), now())
    return Response.json({ event: about, answered: await tell!(about) })
  }

  async function handle(request: Request): Promise<Response> {
    const url = new URL(request.url)
    try {
      return page(request.method, url, newestFirst()) ?? (await api(request, url))
    } catch (error) {
      if (error instanceof Refusal) return error.toResponse()
      throw error
    }
  }

  return { handle, mails: newestFirst }
}

interface Accepted {
  drafts: Draft[]
  answer: (ids: { id: string }[]) => unknown
}

function one(payload: unknown): Accepted {
  return { drafts: [readDraft(payload)], answer: ([first]) => first }
}

/** A strict batch is all or nothing; a permissive one keeps what is good and names the rest by its place. */
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
