import { createHash, randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { serveLocally } from '../../../tools/local-http.ts'
import {
  type FakeAccount,
  addVersion,
  changeSecrets,
  deployVersion,
  emptyAccount,
  listDeployments,
  listVersions,
  viewVersion,
} from './fake-account.ts'

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
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`)
    const path = url.pathname.replace(`/accounts/${accountId}`, '')
    const call = `${request.method} ${path}`
    calls.push(call)
    if (path.startsWith('/exported/')) {
      return void response.end(account.stores.get(path.slice('/exported/'.length))?.export() ?? '')
    }
    const body = await text(request)
    if (path.startsWith('/imported/')) {
      account.stores.get(path.slice('/imported/'.length))?.import(body)
      response.setHeader('etag', `"${createHash('md5').update(body).digest('hex')}"`)
      return void response.end()
    }
    const found = answer(account, call, url, body)
    const { status = 200, result, code, message = 'refused by the test' } = found
    const errors = code === undefined ? [] : [{ code, message }]
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
  message?: string
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
    case 'GET /r2/buckets':
      return { result: { buckets: (account.buckets ?? []).map((name) => ({ name, creation_date: '2026' })) } }
    case 'POST /r2/buckets': {
      const { name } = JSON.parse(body) as { name: string }
      account.buckets?.push(name)
      return { result: { name } }
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
      const values = Object.fromEntries(Object.entries(secrets).map(([name, { text: value }]) => [name, value]))
      const refused = changeSecrets(account, values)
      if (refused !== undefined) return { status: 400, code: refused, message: 'The newest version is not deployed.' }
      return { result: Object.keys(secrets).map((name) => ({ name, type: 'secret_text' })) }
    }
    case 'PUT /workers/scripts/postern':
      account.secrets ??= {}
      return { result: { id: 'postern' } }
    default:
      return answerOperation(account, call, url, body) ?? { status: 404, code: 7003 }
  }
}

/** What runs a service that exists: versions, the database, the queue. */
function answerOperation(account: FakeAccount, call: string, url: URL, body: string): Answer | undefined {
  const worker = '/workers/scripts/postern'
  const [, database, operation] = /^\w+ \/d1\/database\/([\w-]+)\/?(.*)$/.exec(call) ?? []
  if (database !== undefined) return answerDatabase(account, database, `${call.split(' ')[0]} ${operation}`, body, url)
  if (call.startsWith('PATCH /queues/') || call.startsWith('PUT /queues/')) {
    const settings = JSON.parse(body).settings as { delivery_paused?: boolean }
    account.isMailPaused = settings.delivery_paused ?? false
    return { result: {} }
  }
  if (call === `GET ${worker}/versions`) return { result: { items: listVersions(account).toReversed() } }
  if (call.startsWith(`GET ${worker}/versions/`)) {
    const version = viewVersion(account, call.slice(call.lastIndexOf('/') + 1))
    return version ? { result: version } : { status: 404, code: 10007 }
  }
  if (call === `GET ${worker}/deployments`) return { result: { deployments: listDeployments(account) } }
  if (call === `POST ${worker}/versions`) {
    account.upload = body
    const resources = { script: { etag: 'x' }, script_runtime: {}, bindings: [] }
    const id = addVersion(account, false)
    return { result: { id, startup_time_ms: 1, metadata: { has_preview: false }, resources } }
  }
  if (/^(GET|PUT|PATCH) \/workers\/workers\/postern$/.test(call)) {
    return { result: { id: 'w', name: 'postern', subdomain: { enabled: false, previews_enabled: false } } }
  }
  if (call === `GET ${worker}/settings`) return { result: { bindings: [] } }
  if (call === `GET ${worker}/subdomain` || call === `POST ${worker}/subdomain`) {
    return { result: { enabled: false, previews_enabled: false } }
  }
  if (call === 'GET /workers/subdomain') return { result: { subdomain: 'test' } }
  if (call === `PUT ${worker}/schedules`) return { result: { schedules: [] } }
  if (/^GET \/queues\/\w+\/consumers$/.test(call)) return { result: [] }
  if (/^(POST|PUT) \/queues\/\w+\/consumers/.test(call)) return { result: {} }
  if (call === `PATCH ${worker}/script-settings`) return { result: {} }
  if (call === `GET /workers/services/postern`) {
    return {
      result: { default_environment: { environment: 'production', script: { last_deployed_from: 'wrangler' } } },
    }
  }
  if (call === `POST ${worker}/assets-upload-session`) return { result: { jwt: 'x.x.x', buckets: [] } }
  if (call === `POST ${worker}/deployments`) {
    const [{ version_id: id }] = JSON.parse(body).versions as [{ version_id: string }]
    const { code, names = [] } = deployVersion(account, id, url.searchParams.has('force'))
    if (code === undefined) return { result: { id: 'deployment' } }
    return { status: 400, code, message: `The following secrets have changed: ${names.join(', ')}` }
  }
  return undefined
}

function answerDatabase(account: FakeAccount, id: string, call: string, body: string, url: URL): Answer {
  const store = account.stores.get(id)
  switch (call) {
    case 'GET ':
      return { result: account.databases.find(({ uuid }) => uuid === id) }
    case 'POST query': {
      const { sql } = JSON.parse(body) as { sql: string }
      account.statements = [...(account.statements ?? []), sql]
      const results = store?.run(sql) ?? []
      return { result: [{ results, success: true, meta: { duration: 1 } }] }
    }
    case 'GET time_travel/bookmark':
      return { result: { bookmark: '00000085-0000024c' } }
    case 'POST time_travel/restore':
      account.statements = [...(account.statements ?? []), `restore ${url.searchParams.get('timestamp') ?? url.search}`]
      return { result: { bookmark: '00000085-0000024c', previous_bookmark: '1', message: 'restored' } }
    case 'POST export':
      return {
        result: {
          success: true,
          type: 'export',
          at_bookmark: '1',
          messages: [],
          status: 'complete',
          result: { filename: 'export.sql', signed_url: `${url.origin}/exported/${id}` },
        },
      }
    case 'POST import': {
      const state = { success: true, type: 'import', messages: [] }
      if (JSON.parse(body).action === 'init') {
        return { result: { ...state, filename: 'import.sql', upload_url: `${url.origin}/imported/${id}` } }
      }
      const meta = { duration: 1, rows_read: 0, rows_written: 0, size_after: 0 }
      return { result: { ...state, status: 'complete', result: { num_queries: 1, final_bookmark: '2', meta } } }
    }
    default:
      return { status: 404, code: 7003 }
  }
}

function queueRow(queue: { queue_id: string; queue_name: string }) {
  const time = '2026-11-22T00:00:00Z'
  const totals = { producers_total_count: 0, consumers_total_count: 0, producers: [], consumers: [] }
  return { ...queue, created_on: time, modified_on: time, ...totals }
}

function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
