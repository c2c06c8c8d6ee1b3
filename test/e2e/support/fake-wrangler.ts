import { randomBytes, randomUUID } from 'node:crypto'
import type { Outcome, Wrangler } from '../../../tools/wrangler.ts'
import type { FakeAccount } from './fake-account.ts'

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
  const name = args.at(-1) ?? ''
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
      account.secrets = { ...account.secrets, ...JSON.parse(stdin) }
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

function queueTable({ queues }: FakeAccount): string {
  const rows = queues.map(({ queue_id, queue_name }) => `│ ${queue_id} │ ${queue_name} │`)
  return ['┌──┬──┐', '│ id │ name │', '├──┼──┤', ...rows, '└──┴──┘'].join('\n')
}
