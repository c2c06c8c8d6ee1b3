import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { parseSecretKeys, parseSigningKeys } from '../../src/crypto/keys.ts'
import type { Asker } from '../../tools/cloudflare/ask.ts'
import { ensureDevVars } from '../../tools/dev/dev-vars.ts'
import { readKeysArguments } from '../../tools/keys/arguments.ts'
import { manageKeys } from '../../tools/keys/command.ts'
import { generateKey, generateSecrets } from '../../tools/keys/generate.ts'
import { readKeyFile } from '../../tools/keys/key-file.ts'
import { type SetName, type StoredKey, announcementMs, setNames } from '../../tools/keys/key-set.ts'
import { type Wrangler, projectRoot } from '../../tools/wrangler.ts'
import { type FakeAccount, addDatabase, emptyAccount } from './support/fake-account.ts'
import { fakeWrangler } from './support/fake-wrangler.ts'

const minute = 60_000
const day = 24 * 60 * minute

let directory: string
let file: string
let account: FakeAccount
let now: number
let said: string[]
let commands: string[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keys-'))
  file = join(directory, 'keys.json')
  account = { ...emptyAccount(), secrets: { ...generateSecrets(), RESEND_API_KEY: 're_secret_of_the_test' } }
  addDatabase(account)
  // The API key was replaced in the dashboard since.
  writeFileSync(file, `${JSON.stringify({ ...account.secrets, RESEND_API_KEY: 're_old' }, null, 2)}\n`, { mode: 0o600 })
  now = Date.UTC(2026, 10, 22, 12)
  said = []
  commands = []
})

afterEach(() => rmSync(directory, { recursive: true }))

interface Run {
  asker?: Asker | null
  wrangler?: Wrangler
  path?: string
  localFile?: string
}

/** Runs one command line, by default on the file of the deployed keys. */
async function keys(line: string, { asker = null, wrangler, path = file, localFile = '/nowhere/.dev.vars' }: Run = {}) {
  const asked = readKeysArguments([...line.split(' '), '--file', path], localFile)
  assert.notEqual(asked, 'help')
  if (asked === 'help') return
  const fake = wrangler ?? fakeWrangler(account).wrangler
  await manageKeys(
    {
      wrangler: (args, options) => {
        commands.push(args.join(' '))
        return fake(args, options)
      },
      env: {},
      asker,
      say: (text) => said.push(text),
      now: () => new Date(now),
    },
    asked.action,
    asked.options,
  )
}

function setOf(name: SetName, path = file): StoredKey[] {
  return JSON.parse(readKeyFile(path).secrets[name] ?? '').keys
}

function kids(name: SetName, path = file): string[] {
  return setOf(name, path).map(({ kid }) => kid)
}

/** The private or symmetric part of every key in a set, which must never be shown. */
function* materialIn(value: unknown): Iterable<string> {
  for (const { d, k } of JSON.parse(String(value)).keys) yield d ?? k
}

function agreeing(questions: string[] = [], answer = 'y'): Asker {
  const text = async (question: string) => {
    questions.push(question)
    return answer
  }
  return { text, secret: text }
}

test('an announced key can be promoted once every verifier knows it', async () => {
  for (const name of setNames) {
    const [old = ''] = kids(name)
    await keys(`announce ${name}`)
    const [first, announced = '', ...others] = kids(name)
    assert.deepEqual([first, others], [old, []])
    assert.match(said.join('\n'), new RegExp(`promote ${name} ${announced} --file `))

    now += announcementMs - 1
    await assert.rejects(keys(`promote ${name} ${announced}`), /some verifiers may not know it/)
    assert.deepEqual(kids(name), [old, announced])
    now += 1
    await keys(`promote ${name} ${announced}`)
    assert.deepEqual(kids(name), [announced, old])
    await assert.rejects(keys(`promote ${name} ${announced}`), /already active/)
  }
})

test('a rotation puts the new key first, and the service reads the set', async () => {
  for (const name of setNames) {
    const before = setOf(name)
    await keys(`rotate ${name}`)
    await keys(`rotate ${name}`)
    await keys(`announce ${name}`)
    const after = kids(name)
    assert.equal(new Set(after).size, 4)
    assert.equal(after.at(-1), before[0]?.kid)
    // Apart from `replaced`, the old key is unchanged.
    assert.deepEqual(setOf(name).at(-1), { ...before[0], replaced: new Date(now).toISOString() })
    const text = readKeyFile(file).secrets[name] ?? ''
    const ring = name === 'SIGNING_KEYS' ? await parseSigningKeys(text) : parseSecretKeys(text)
    assert.deepEqual(
      ring.map(({ kid }) => kid),
      after,
    )
  }
})

test('a new key has its day in the id and the algorithm of the active key', async () => {
  await keys('rotate TOKEN_KEYS')
  assert.match(kids('TOKEN_KEYS')[0] ?? '', /^2026-11-22-[0-9a-f]{8}$/)
  await keys('rotate SIGNING_KEYS --algorithm ES256')
  await keys('rotate SIGNING_KEYS')
  await keys('announce SIGNING_KEYS --algorithm EdDSA')
  assert.deepEqual(
    setOf('SIGNING_KEYS').map(({ crv }) => crv),
    ['P-256', 'Ed25519', 'P-256', 'Ed25519'],
  )
})

test('a key is retired only when another one is active, and not under a wrong name', async () => {
  for (const name of setNames) {
    const [only = ''] = kids(name)
    await assert.rejects(keys(`retire ${name} ${only} --yes`), /is active: rotate, or promote another key/)
    await assert.rejects(
      keys(`retire ${name} nobody --yes`),
      new RegExp(`There is no key nobody; the set has ${only}\\.`),
    )
    await keys(`rotate ${name}`)
    now += announcementMs
    const [making = ''] = kids(name)
    await assert.rejects(keys(`retire ${name} ${making} --yes`), /is active: rotate/)
    await keys(`retire ${name} ${only} --yes`)
    assert.deepEqual(kids(name), [making])
  }
})

test('retiring a key needs confirmation, after telling how long it is needed', async () => {
  const cases: [SetName, RegExp, RegExp, number][] = [
    ['SIGNING_KEYS', /needed until 2026-11-22 12:10 UTC/, /Access tokens that it signed are refused/, 10 * minute],
    ['TOKEN_KEYS', /needed until 2026-12-22 12:00 UTC/, /Refresh tokens, activation links and reset links/, 30 * day],
    ['PASSWORD_PEPPER', /Nothing in the database was made with it/, /will be removed/, 10 * minute],
    ['DATA_KEYS', /Nothing in the database was made with it/, /will be removed/, 10 * minute],
  ]
  for (const [name, until, loss, ms] of cases) {
    now = Date.UTC(2026, 10, 22, 12)
    const [old = ''] = kids(name)
    await keys(`rotate ${name}`)
    if (name === 'PASSWORD_PEPPER' || name === 'DATA_KEYS') now += ms
    const before = readFileSync(file, 'utf8')
    said = []
    await assert.rejects(keys(`retire ${name} ${old}`), /Nothing was done\. Run it again with --yes/)
    await assert.rejects(keys(`retire ${name} ${old}`, { asker: agreeing([], 'n') }), /Nothing was done/)
    assert.equal(readFileSync(file, 'utf8'), before)
    assert.match(said.join('\n'), until)
    assert.match(said.join('\n'), loss)

    now += ms
    said = []
    await keys(`retire ${name} ${old}`, { asker: agreeing() })
    assert.equal(kids(name).length, 1)
    assert.match(said.join('\n'), /Everything that it signed has expired|Nothing in the database was made with it/)
  }
})

test('a key that was never promoted can be retired without loss', async () => {
  await keys('announce TOKEN_KEYS')
  await keys(`retire TOKEN_KEYS ${kids('TOKEN_KEYS')[1]}`, { asker: agreeing() })
  assert.match(said.join('\n'), /nothing was made with it/)
})

test('the list shows id, type, day and state of every key, but no key', async () => {
  await keys('rotate SIGNING_KEYS --algorithm ES256')
  await keys('announce TOKEN_KEYS')
  await keys('rotate PASSWORD_PEPPER')
  said = []
  await keys('list')
  const list = said.join('\n')
  for (const name of setNames) for (const kid of kids(name)) assert.ok(list.includes(kid), kid)
  const [making, replaced] = kids('SIGNING_KEYS')
  assert.match(list, new RegExp(`${making} +ES256 pair +created 2026-11-22 +active\n`))
  assert.match(
    list,
    new RegExp(`${replaced} +EdDSA pair .* verifies; replaced at .*, needed until 2026-11-22 12:10 UTC`),
  )
  assert.match(list, /HMAC, 256 bits .* verifies; announced at .*, can be promoted after 2026-11-22 12:10 UTC/)
  assert.match(list, /verifies; replaced at .*, needed while passwords are hashed under it/)
})

test('the list can be of some sets', async () => {
  for (const name of setNames) {
    said = []
    await keys(`list ${name}`)
    const list = said.join('\n')
    for (const each of setNames) for (const kid of kids(each)) assert.equal(list.includes(kid), each === name, kid)
  }
})

test('no part of a key is printed, asked for or passed as an argument', async () => {
  const material = new Set<string>()
  const questions: string[] = []
  const note = () =>
    setNames.forEach((name) => [...materialIn(readKeyFile(file).secrets[name])].forEach((each) => material.add(each)))
  for (const name of setNames) {
    for (const verb of ['announce', 'rotate']) {
      note()
      await keys(`${verb} ${name} --upload`, { asker: agreeing(questions) })
    }
    note()
    now += announcementMs
    await keys(`retire ${name} ${kids(name).at(-1)} --upload`, { asker: agreeing(questions) })
    await assert.rejects(keys(`promote ${name} nobody`))
  }
  await keys('list')
  for (const name of setNames) await keys(`list ${name}`)
  await keys('upload', { asker: agreeing(questions) })
  assert.ok(material.size >= 12)
  const seen = [...said, ...questions, ...commands].join('\n')
  for (const each of material) assert.ok(!seen.includes(each))
})

test('an upload sends only the changed set, through stdin, once confirmed', async () => {
  const deployed = { ...account.secrets }
  await assert.rejects(keys('rotate TOKEN_KEYS --upload'), /Nothing was done/)
  await assert.rejects(keys('rotate TOKEN_KEYS --upload', { asker: agreeing([], '') }), /Nothing was done/)
  assert.deepEqual(account.secrets, deployed)
  assert.equal(kids('TOKEN_KEYS').length, 1)

  commands = []
  await keys('rotate TOKEN_KEYS --upload --yes')
  const { TOKEN_KEYS, ...others } = account.secrets ?? {}
  assert.equal(TOKEN_KEYS, readKeyFile(file).secrets['TOKEN_KEYS'])
  assert.deepEqual({ ...others, TOKEN_KEYS: deployed['TOKEN_KEYS'] }, deployed)
  assert.deepEqual(commands, [
    'whoami --json',
    'secret list',
    'versions list --json',
    'deployments list --json',
    'secret bulk',
  ])
})

test('changes can be uploaded later, one set or all', async () => {
  await keys('rotate TOKEN_KEYS')
  await keys('rotate PASSWORD_PEPPER')
  assert.match(said.join('\n'), /Next: npm run keys -- upload PASSWORD_PEPPER --file /)
  assert.deepEqual(commands, [])
  const before = { ...account.secrets }
  await keys('upload TOKEN_KEYS --yes')
  assert.equal(account.secrets?.['TOKEN_KEYS'], readKeyFile(file).secrets['TOKEN_KEYS'])
  assert.equal(account.secrets?.['PASSWORD_PEPPER'], before['PASSWORD_PEPPER'])
  await keys('upload', { asker: agreeing() })
  const { RESEND_API_KEY: _ours, ...kept } = readKeyFile(file).secrets
  assert.deepEqual({ ...account.secrets, ...kept }, account.secrets)
})

test('a failed upload leaves the new key in the file and tells how to retry', async () => {
  const { wrangler: working } = fakeWrangler(account)
  const failing: Wrangler = (args, options) =>
    args[1] === 'bulk'
      ? Promise.resolve({ exitCode: 1, stdout: '', stderr: '✘ [ERROR] The network is away.' })
      : working(args, options)
  await assert.rejects(
    keys('rotate TOKEN_KEYS --upload --yes', { wrangler: failing }),
    /The network is away\.\n.* has the keys, Cloudflare may not\. To try again: npm run keys -- upload TOKEN_KEYS --file /,
  )
  assert.equal(kids('TOKEN_KEYS').length, 2)
})

test('keys are not uploaded without a login or a provisioned Worker', async () => {
  const before = readFileSync(file, 'utf8')
  account.secrets = { PASSWORD_PEPPER: 'x' }
  await assert.rejects(keys('rotate TOKEN_KEYS --upload --yes'), /has no TOKEN_KEYS: `npm run provision`/)
  const nobody: Wrangler = async () => ({ exitCode: 1, stdout: '{"loggedIn":false}', stderr: '' })
  await assert.rejects(keys('rotate TOKEN_KEYS --upload --yes', { wrangler: nobody }), /Not logged in/)
  assert.equal(readFileSync(file, 'utf8'), before)
})

test('keys of this machine change in .dev.vars alone and are never uploaded', async () => {
  const path = join(directory, '.dev.vars')
  ensureDevVars(path)
  writeFileSync(path, `# mine\nexport OTHER="a b" # c\n${readFileSync(path, 'utf8')}LAST=1\n`)
  const before = readFileSync(path, 'utf8').split('\n')
  const local = { path, localFile: path }
  await keys('rotate SIGNING_KEYS', local)
  await keys('announce PASSWORD_PEPPER', local)
  const after = readFileSync(path, 'utf8').split('\n')
  assert.deepEqual(
    after.map((line, index) => (line === before[index] ? '' : line.split('=')[0])).filter((name) => name !== ''),
    ['SIGNING_KEYS', 'PASSWORD_PEPPER'],
  )
  assert.equal(kids('SIGNING_KEYS', path).length, 2)
  assert.match(said.join('\n'), /Restart `npm run dev`/)
  await keys('rotate PASSWORD_PEPPER', local)
  now += announcementMs
  await keys(`retire PASSWORD_PEPPER ${kids('PASSWORD_PEPPER', path)[1]} --yes`, local)
  assert.equal(ensureDevVars(path), false)

  const untouched = readFileSync(path, 'utf8')
  for (const line of ['upload --yes', 'rotate TOKEN_KEYS --upload --yes']) {
    await assert.rejects(keys(line, local), /keys of this machine are not uploaded/)
  }
  assert.equal(readFileSync(path, 'utf8'), untouched)
  assert.deepEqual(commands, [])
})

test('the file is replaced atomically and privately, also behind a symlink', async () => {
  chmodSync(file, 0o644)
  const link = join(directory, 'link.json')
  symlinkSync(file, link)
  const { ino } = statSync(file)
  await keys('rotate TOKEN_KEYS', { path: link })
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.notEqual(statSync(file).ino, ino)
  assert.equal(kids('TOKEN_KEYS').length, 2)
  assert.deepEqual(readdirSync(directory).toSorted(), ['keys.json', 'link.json'])
})

test('a file that the service would refuse is not changed', async () => {
  const good = readKeyFile(file).secrets
  const short = JSON.stringify({ keys: [{ kty: 'oct', kid: 'a', k: Buffer.alloc(31, 1).toString('base64url') }] })
  const twice = JSON.stringify({
    keys: [generateKey('TOKEN_KEYS'), generateKey('TOKEN_KEYS')].map((key) => ({ ...key, kid: 'a' })),
  })
  const cases: [text: string, complaint: RegExp][] = [
    [JSON.stringify({ ...good, TOKEN_KEYS: short }), /TOKEN_KEYS key "a" is shorter than 32 bytes/],
    [JSON.stringify({ ...good, TOKEN_KEYS: twice }), /holds the "kid" "a" twice/],
    [JSON.stringify({ ...good, TOKEN_KEYS: '{"keys":[]}' }), /TOKEN_KEYS holds no key/],
    [JSON.stringify({ ...good, TOKEN_KEYS: 'secret' }), /TOKEN_KEYS is not JSON/],
    [JSON.stringify({ ...good, TOKEN_KEYS: good['SIGNING_KEYS'] }), /not of type "oct"/],
    [JSON.stringify({ RESEND_API_KEY: 'x' }), /has no TOKEN_KEYS/],
    ['{"TOKEN_KEYS": ', /is not well-formed JSON/],
    [JSON.stringify({ TOKEN_KEYS: { keys: [] } }), /is not a JSON object of strings/],
    [`TOKEN_KEYS='${(good['TOKEN_KEYS'] ?? '').replace(',', ',\n')}'\n`, /is not on a single line/],
    [`TOKEN_KEYS='${good['TOKEN_KEYS']}'\n`.repeat(2), /is not on a single line/],
  ]
  for (const [text, complaint] of cases) {
    writeFileSync(file, text)
    await assert.rejects(keys('rotate TOKEN_KEYS'), (error) => {
      assert.ok(error instanceof Error && error.name === 'Stop', String(error))
      assert.match(error.message, complaint)
      assert.ok(!error.message.includes('secret"'))
      return true
    })
    assert.equal(readFileSync(file, 'utf8'), text)
  }
  await assert.rejects(keys('list', { path: join(directory, 'absent') }), /absent cannot be read/)
})

test('a file may hold some of the sets', async () => {
  const { TOKEN_KEYS } = readKeyFile(file).secrets
  writeFileSync(file, JSON.stringify({ TOKEN_KEYS }))
  await keys('list')
  assert.match(said.join('\n'), /^PASSWORD_PEPPER is not in .*keys\.json$/m)
  await keys('rotate TOKEN_KEYS')
  const before = { ...account.secrets }
  await keys('upload --yes')
  assert.notEqual(account.secrets?.['TOKEN_KEYS'], before['TOKEN_KEYS'])
  assert.deepEqual({ ...account.secrets, TOKEN_KEYS: '' }, { ...before, TOKEN_KEYS: '' })
  writeFileSync(file, '{"RESEND_API_KEY":"re_x"}')
  await assert.rejects(keys('upload --yes'), /has no key set/)
})

test('an invalid command line is answered with the usage', () => {
  for (const line of [
    '',
    'rotate',
    'rotate FOO',
    'rotate TOKEN_KEYS kid',
    'retire TOKEN_KEYS',
    'promote TOKEN_KEYS a b',
    'destroy TOKEN_KEYS',
    'upload FOO',
    'list FOO',
    'list TOKEN_KEYS kid',
    'rotate TOKEN_KEYS --algorithm ES256',
    'rotate SIGNING_KEYS --algorithm RS256',
    'list --force',
    'rotate DATA_KEYS --force',
    'rewrap DATA_KEYS',
    'rewrap --upload',
  ]) {
    assert.throws(
      () => readKeysArguments(line.split(' ').filter(Boolean), '.dev.vars'),
      { name: 'Stop', message: /npm run keys -- COMMAND/ },
      line,
    )
  }
})

test('the real command lists a file and reports errors on one line', () => {
  const script = join(projectRoot, 'tools/keys.ts')
  const output = execFileSync(process.execPath, [script, 'list', '--file', file], { encoding: 'utf8' })
  for (const name of setNames) assert.ok(output.includes(kids(name)[0] ?? '?'))
  const refused = spawnSync(process.execPath, [script, 'retire', 'TOKEN_KEYS', 'x', '--file', file], {
    encoding: 'utf8',
  })
  assert.equal(refused.status, 1)
  assert.match(refused.stderr, /^There is no key x; .*\n$/)
  assert.match(execFileSync(process.execPath, [script, '--help'], { encoding: 'utf8' }), /^npm run keys/)
})
