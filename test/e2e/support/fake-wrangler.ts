import { randomBytes, randomUUID } from 'node:crypto'
import type { Outcome, Wrangler } from '../../../tools/wrangler.ts'
import {
  type FakeAccount,
  changeSecrets,
  deployVersion,
  listDeployments,
  listVersions,
  viewVersion,
} from './fake-account.ts'

/** Answers wrangler's commands from a pretended account. The real wrangler takes seconds for each command. */
export function fakeWrangler(account: FakeAccount): { wrangler: Wrangler; commands: string[] } {
  const commands: string[] = []
  const wrangler: Wrangler = async (args, { stdin = '' } = {}) => {
    commands.push(args.join(' '))
    return { exitCode: 0, stdout: '', stderr: '', ...answer(account, args, stdin) }
  }
  return { wrangler, commands }
}

function answer(account: FakeAccount, args: readonly string[], stdin: string): Partial<Outcome> {
  const name = args.findLast((each) => !each.startsWith('--')) ?? ''
  switch (args.slice(0, 3).join(' ')) {
    case 'whoami --json':
      return { stdout: '{"loggedIn":true,"accounts":[{"id":"a","name":"A"}]}' }
    case 'd1 list --json':
      return { stdout: JSON.stringify(account.databases) }
    case 'kv namespace list':
      return { stdout: JSON.stringify(account.namespaces) }
    case 'queues list --page':
      return { stdout: name === '1' ? queueTable(account) : '' }
    case 'secret list':
      if (account.secrets === null) return { exitCode: 1, stderr: '✘ [ERROR] Worker "postern" not found.' }
      return { stdout: JSON.stringify(Object.keys(account.secrets).map((key) => ({ name: key, type: 'secret_text' }))) }
    case 'secret bulk':
      return refusal(changeSecrets(account, JSON.parse(stdin)))
    case 'versions list --json':
      return { stdout: JSON.stringify(listVersions(account)) }
    case 'deployments list --json':
      return { stdout: JSON.stringify(listDeployments(account)) }
    case `versions view ${args[2]}`:
      return { stdout: JSON.stringify(viewVersion(account, args[2] ?? '')) }
    case `versions deploy ${args[2]}`: {
      const { code, names = [] } = deployVersion(account, args[2]?.replace('@100%', '') ?? '', false)
      return refusal(code, `The following secrets have changed: ${names.join(', ')}`)
    }
    case 'd1 execute DB': {
      const sql = args[args.indexOf('--command') + 1] ?? ''
      const [database] = account.databases
      const store = account.stores.get(database?.uuid ?? '')
      if (store) return { stdout: JSON.stringify(sql.split(';\n').map((each) => ({ results: store.run(each) }))) }
      const names = (sql.includes('sqlite_master') ? database?.tables : database?.migrations) ?? []
      return { stdout: JSON.stringify([{ results: names.map((each) => ({ name: each })) }]) }
    }
    case 'kv key list':
      return { stdout: JSON.stringify((account.namespaces[0]?.keys ?? []).map((each) => ({ name: each }))) }
    case `queues info ${name}`: {
      const { worker } = account.queues.find(({ queue_name }) => queue_name === name) ?? {}
      return { stdout: worker ? `Consumers: worker:${worker}` : '' }
    }
    case 'r2 bucket list':
      if (!account.buckets) return refusal(10042, 'Please enable R2 through the Cloudflare Dashboard.')
      return { stdout: account.buckets.map((each) => `name:           ${each}\ncreation_date:  2026`).join('\n\n') }
    case 'r2 bucket create':
      if (account.buckets?.includes(name)) return refusal(10004, 'The bucket you tried to create already exists.')
      account.buckets?.push(name)
      return {}
    case `d1 create ${name}`:
      account.databases.push({ uuid: randomUUID(), name })
      return {}
    case 'kv namespace create':
      account.namespaces.push({ id: randomBytes(16).toString('hex'), title: name })
      return {}
    case `queues create ${name}`:
      account.queues.push({ queue_id: randomUUID(), queue_name: name })
      return {}
    default:
      return { exitCode: 1, stderr: '✘ [ERROR] The stand-in does not know this command.' }
  }
}

/** As wrangler prints what Cloudflare says. */
function refusal(code: number | undefined, text = 'refused by the test'): Partial<Outcome> {
  if (code === undefined) return {}
  const heading = '✘ [ERROR] A request to the Cloudflare API (/accounts/f/workers) failed.'
  const bug = 'If you think this is a bug, please open an issue at: https://github.com/cloudflare/workers-sdk/issues'
  return { exitCode: 1, stderr: `\n${heading}\n\n  ${text} [code: ${code}]\n  \n  ${bug}\n\n` }
}

function queueTable({ queues }: FakeAccount): string {
  const rows = queues.map(({ queue_id, queue_name }) => `│ ${queue_id} │ ${queue_name} │`)
  return ['┌──┬──┐', '│ id │ name │', '├──┼──┤', ...rows, '└──┴──┘'].join('\n')
}
