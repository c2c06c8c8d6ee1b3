/** Performs the commands of a document, as it writes them, with the real wrangler against a stand-in for Cloudflare. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deploy } from '../../../tools/cloudflare/deploy.ts'
import { migrationsFolder } from '../../../tools/migrations.ts'
import { rollback } from '../../../tools/cloudflare/rollback.ts'
import { places, replaceString } from '../../../tools/cloudflare/wrangler-toml.ts'
import { readKeysArguments } from '../../../tools/keys/arguments.ts'
import { manageKeys } from '../../../tools/keys/command.ts'
import { generateSecrets } from '../../../tools/keys/generate.ts'
import { projectRoot, runWrangler, type Wrangler } from '../../../tools/wrangler.ts'
import { section } from './documents.ts'
import { addVersion } from './fake-account.ts'
import { startFakeCloudflare } from './fake-cloudflare.ts'

/** The commands of a section's shell blocks, in order; a backslash and an open quote continue a line. */
export function commandsOf(heading: string): string[] {
  const blocks = Array.from(
    section('docs/operations.md', heading).matchAll(/```sh\n([^]*?)```/g),
    ([, block = '']) => block,
  )
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, ' ').split('\n'))
  const commands: string[] = []
  let open = ''
  for (const line of lines) {
    open = open === '' ? line.trim() : `${open} ${line.trim()}`
    if ((open.match(/"/g) ?? []).length % 2 === 1) continue
    if (open !== '') commands.push(...open.split(' && '))
    open = ''
  }
  return commands
}

/** The words of a command line, without what follows `>`. */
function wordsOf(command: string): string[] {
  const words = Array.from(command.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? '')
  const redirection = words.indexOf('>')
  return redirection < 0 ? words : words.slice(0, redirection)
}

export type Runbook = Awaited<ReturnType<typeof openRunbook>>

/**
 * A provisioned service with one deployment.
 *
 * @param name of the file for its settings, beside wrangler.toml, to which its paths are relative. git ignores it.
 */
export async function openRunbook(name: string) {
  const toml = join(projectRoot, `.wrangler-dev-${name}.toml`)
  writeFileSync(toml, readFileSync(join(projectRoot, 'wrangler.toml')))
  const databaseId = '11111111-1111-4111-8111-111111111111'
  replaceString(toml, places.databaseId, databaseId)
  replaceString(toml, places.kvId, '1'.repeat(32))
  replaceString(toml, places.publicUrl, 'https://accounts.example.com')
  const home = mkdtempSync(join(tmpdir(), 'postern-home-'))
  const cloudflare = await startFakeCloudflare()
  const { account } = cloudflare
  account.databases = [{ uuid: databaseId, name: 'postern' }]
  account.queues = ['postern-mail', 'postern-mail-dead'].map((queue, id) => ({ queue_id: `q${id}`, queue_name: queue }))
  account.secrets = { ...generateSecrets(), RESEND_API_KEY: 're_test' }
  writeFileSync(join(home, 'postern-secrets.json'), JSON.stringify(account.secrets), { mode: 0o600 })
  addVersion(account, false)
  const wrangler: Wrangler = (args, options) =>
    runWrangler([...args, '--config', toml], { ...options, isShown: false, env: cloudflare.env })
  const around = { wrangler, toml, env: cloudflare.env, asker: null, say: () => undefined }

  async function perform(command: string): Promise<void> {
    const [program, name, ...args] = wordsOf(command.replaceAll('~', home))
    if (program === 'npx' && name === 'wrangler') {
      const { exitCode, stderr, stdout } = await wrangler(args)
      assert.equal(exitCode, 0, `${command}\n${stderr}${stdout}\n${cloudflare.calls.slice(-3).join('\n')}`)
    } else if (command === 'npm run deploy') {
      const ready = { fetch: async () => Response.json({ status: 'ok' }), sleep: async () => undefined }
      await deploy({ ...around, ...ready, migrations: migrationsFolder }, { isConfirmed: false })
    } else if (command === 'npm run rollback') await rollback(around, { version: undefined, isConfirmed: true })
    else if (command.startsWith('npm run keys -- ')) {
      const asked = readKeysArguments(args.slice(2), '/nowhere/.dev.vars')
      assert.ok(asked !== 'help')
      const agreeing = { text: async () => 'y', secret: async () => '' }
      await manageKeys({ ...around, asker: agreeing, now: () => new Date() }, asked.action, asked.options)
      // The code of the stand-in is always the present one.
    } else if (!['git checkout <commit>', 'npm ci'].includes(command)) assert.fail(`nobody has tried: ${command}`)
  }

  async function close(): Promise<void> {
    await cloudflare.stop()
    for (const path of [toml, home, join(projectRoot, 'postern.sql')]) rmSync(path, { recursive: true, force: true })
  }

  return { account, databaseId, home, toml, perform, close }
}
