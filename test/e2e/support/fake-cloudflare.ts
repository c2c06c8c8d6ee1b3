import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { serveLocally } from '../../../tools/local-http.ts'
import { type FakeAccount, emptyAccount } from './fake-account.ts'

export interface FakeCloudflare {
  account: FakeAccount
  /** Method and path of every call, without the account. */
  calls: string[]
  /** The variables that make wrangler call this server instead of Cloudflare. */
  env: Record<string, string>
  stop: () => Promise<void>
}

const accountId = 'f'.repeat(32)
const queuesPerPage = 3

/** Stands in for the part of Cloudflare's API that the real wrangler calls during provisioning. */
export async function startFakeCloudflare(): Promise<FakeCloudflare> {
  const account = emptyAccount()
  const calls: string[] = []
  const { url: origin, stop } = await serveLocally(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const path = url.pathname.replace(`/accounts/${accountId}`, '')
    const call = `${request.method} ${path}`
    calls.push(call)
    const { status = 200, result, code } = answer(account, call, url, await text(request))
    const errors = code === undefined ? [] : [{ code, message: 'refused by the test' }]
    response.writeHead(status, { 'content-type': 'application/json' })
    // wrangler's client stops reading pages when it has `total_count` items.
    const total = Array.isArray(result) ? result.length : 0
    response.end(
      JSON.stringify({
        success: code === undefined,
        errors,
        messages: [],
        result: result ?? null,
        result_info: { page: 1, per_page: 100, count: total, total_count: total, total_pages: 1 },
      }),
    )
  })
  return {
    account,
    calls,
    env: {
      CLOUDFLARE_API_BASE_URL: origin,
      CLOUDFLARE_API_TOKEN: 'a-token-of-the-test',
      CLOUDFLARE_ACCOUNT_ID: accountId,
    },
    stop,
  }
}

interface Answer {
  status?: number
  result?: unknown
  code?: number
}

function answer(account: FakeAccount, call: string, url: URL, body: string): Answer {
  const id = randomBytes(16).toString('hex')
  switch (call) {
    case 'GET /user/tokens/verify':
      return { result: { id, status: 'active' } }
    case 'GET /user':
      return { result: { id, email: 'operator@example.com' } }
    case 'GET /accounts':
      return { result: [{ id: accountId, name: 'Test' }] }
    case 'GET /memberships':
      return { result: [{ id, account: { id: accountId, name: 'Test' } }] }
    case 'GET /d1/database':
      return { result: Number(url.searchParams.get('page')) > 1 ? [] : account.databases }
    case 'POST /d1/database': {
      const database = { uuid: uuidOf(id), name: String(JSON.parse(body).name) }
      account.databases.push(database)
      return { result: database }
    }
    case 'GET /storage/kv/namespaces':
      return { result: Number(url.searchParams.get('page')) > 1 ? [] : account.namespaces }
    case 'POST /storage/kv/namespaces': {
      const namespace = { id, title: String(JSON.parse(body).title) }
      account.namespaces.push(namespace)
      return { result: namespace }
    }
    case 'GET /queues': {
      const page = Number(url.searchParams.get('page') ?? 1)
      return { result: account.queues.slice((page - 1) * queuesPerPage, page * queuesPerPage).map(queueRow) }
    }
    case 'POST /queues': {
      const queue = { queue_id: id, queue_name: String(JSON.parse(body).queue_name) }
      account.queues.push(queue)
      return { result: queueRow(queue) }
    }
    case 'GET /workers/scripts/postern/secrets':
      if (account.secrets === null) return { status: 404, code: 10007 }
      return { result: Object.keys(account.secrets).map((name) => ({ name, type: 'secret_text' })) }
    case 'PATCH /workers/scripts/postern/secrets-bulk': {
      if (account.secrets === null) return { status: 404, code: 10007 }
      const secrets = JSON.parse(body).secrets as Record<string, { text: string }>
      for (const [name, { text: value }] of Object.entries(secrets)) account.secrets[name] = value
      return { result: Object.keys(secrets).map((name) => ({ name, type: 'secret_text' })) }
    }
    case 'PUT /workers/scripts/postern':
      account.secrets ??= {}
      return { result: { id: 'postern' } }
    default:
      return { status: 404, code: 7003 }
  }
}

function queueRow(queue: { queue_id: string; queue_name: string }) {
  const time = '2026-11-22T00:00:00Z'
  return { ...queue, created_on: time, modified_on: time, producers_total_count: 0, consumers_total_count: 0 }
}

function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
