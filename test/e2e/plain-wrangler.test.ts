/** `npx wrangler dev` in a fresh clone, without any command of ours. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { parseEnv } from 'node:util'
import { projectRoot } from '../../tools/wrangler.ts'
import { until } from './support/command-process.ts'
import { freePort } from './support/free-port.ts'
import { freshCopy } from './support/fresh-copy.ts'
import { commandLines } from './support/process-tree.ts'

const timeout = 300_000
const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}
let clone: string
let wrangler: ChildProcess | undefined
let output = ''
const env = {
  ...process.env,
  PATH: [join(projectRoot, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
  WRANGLER_SEND_METRICS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  CI: '1',
}

before(() => {
  clone = freshCopy()
  env['WRANGLER_REGISTRY_PATH' as never] = join(clone, 'registry') as never
})

after(async () => {
  if (wrangler?.pid !== undefined) {
    const ended = once(wrangler, 'exit')
    process.kill(-wrangler.pid, 'SIGKILL')
    await ended
  }
  rmSync(clone, { recursive: true, force: true })
})

const install = () =>
  execFileSync('sh', ['-c', scripts['postinstall'] ?? 'false'], { cwd: clone, env, encoding: 'utf8' })

test('the installation makes settings and secrets that only their owner can read, and never overwrites them', () => {
  const path = join(clone, '.dev.vars')
  assert.ok(!existsSync(path))
  assert.match(install(), /^Made \.dev\.vars /)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const made = readFileSync(path, 'utf8')
  assert.equal(install(), '')
  assert.equal(readFileSync(path, 'utf8'), made)
  const older = made.replace(/^PUBLIC_URL=.*\n/m, '')
  writeFileSync(path, older)
  assert.match(install(), /^\.dev\.vars has no PUBLIC_URL: [^\n]*\n$/)
  assert.equal(readFileSync(path, 'utf8'), older)
  writeFileSync(path, made)
})

test(
  'wrangler alone serves a migrated database, and says in one line that there is no mailbox',
  { timeout },
  async () => {
    const port = await freePort()
    const url = `http://localhost:${port}`
    const bin = join(projectRoot, 'node_modules/wrangler/bin/wrangler.js')
    wrangler = spawn(process.execPath, [bin, 'dev', '--port', String(port), '--inspector-port', '0'], {
      cwd: clone,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [wrangler.stdout, wrangler.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
    }
    const isReady = async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200
    await until(isReady, 'a ready Worker', 120_000, () => output)
    const answer = await fetch(`${url}/auth/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: 'ada@example.com', password: 'plum-violin-gravel-93' }),
    })
    assert.equal(answer.status, 202, output)
    await until(
      () => output.includes('mail.no_mailbox'),
      'the line about the mailbox',
      30_000,
      () => output,
    )
    assert.match(
      output,
      /"event":"mail\.no_mailbox","url":"http:\/\/localhost:8788","hint":"npm run dev brings a mailbox"/,
    )
  },
)

test('no secret of the machine is in the arguments of any process', () => {
  const secrets = Object.entries(parseEnv(readFileSync(join(clone, '.dev.vars'), 'utf8')))
  const lines = commandLines().join('\n')
  assert.match(lines, /workerd/)
  for (const [name, value = ''] of secrets) {
    if (/KEYS$|PEPPER$|API_KEY$/.test(name)) assert.ok(!lines.includes(value), name)
  }
})
