/** Keys that rows name: they are counted before one is retired, and second factors are brought under another one. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { macData, openData, sealData } from '../../src/crypto/data-keys.ts'
import { type KeyRing, type SecretKey, parseSecretKeys } from '../../src/crypto/keys.ts'
import { bindPasskey, isBoundPasskey } from '../../src/crypto/passkey-binding.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import { readKeysArguments } from '../../tools/keys/arguments.ts'
import { manageKeys } from '../../tools/keys/command.ts'
import { generateSecrets } from '../../tools/keys/generate.ts'
import { readKeyFile } from '../../tools/keys/key-file.ts'
import { type SetName, announcementMs } from '../../tools/keys/key-set.ts'
import { usesOf } from '../../tools/keys/uses.ts'
import type { Wrangler } from '../../tools/wrangler.ts'
import { type FakeAccount, addDatabase, emptyAccount } from './support/fake-account.ts'
import type { FakeDatabase } from './support/fake-database.ts'
import { fakeWrangler } from './support/fake-wrangler.ts'

let directory: string
let file: string
let account: FakeAccount
let database: FakeDatabase
let now: number
let said: string[]
let commands: string[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rewrap-'))
  file = join(directory, 'keys.json')
  account = { ...emptyAccount(), secrets: { ...generateSecrets(), RESEND_API_KEY: 're_test' } }
  writeFileSync(file, JSON.stringify(account.secrets), { mode: 0o600 })
  database = addDatabase(account)
  now = Date.UTC(2026, 10, 22, 12)
  said = []
  commands = []
})

afterEach(() => rmSync(directory, { recursive: true }))

async function keys(
  line: string,
  wrangler: Wrangler = fakeWrangler(account).wrangler,
  localFile = '/nowhere/.dev.vars',
) {
  const asked = readKeysArguments([...line.split(' '), '--file', file], localFile)
  assert.ok(asked !== 'help')
  await manageKeys(
    {
      wrangler: (args, options) => {
        commands.push(args.join(' '))
        return wrangler(args, options)
      },
      env: { STATE_DIR: directory },
      asker: null,
      say: (text) => said.push(text),
      now: () => new Date(now),
    },
    asked.action,
    asked.options,
  )
}

const ring = (): KeyRing<SecretKey> => parseSecretKeys(readKeyFile(file).secrets['DATA_KEYS'] ?? '')
const kids = (name: SetName) => parseSecretKeys(readKeyFile(file).secrets[name] ?? '').map(({ kid }) => kid)
const hex = (id: string) => id.replaceAll('-', '')
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** @returns the id of an account with an authenticator app, a passkey and a recovery code under the active key */
async function addUser(): Promise<string> {
  const id = uuidv7(new Date(now), 0)
  const seed = await sealData(ring(), 'totp-seed', [id], Buffer.from(id.slice(0, 20)))
  const credential = { userId: id, credentialId: Buffer.from(`c${id}`), publicKey: Buffer.from(`k${id}`) }
  const digest = await macData(ring(), 'recovery-code', [id, 'CODE'])
  database.run(`INSERT INTO users (id, email, role, status, updated_at) VALUES (x'${hex(id)}', '${id}@example.com', 0, 1, 0);
    INSERT INTO totps VALUES (x'${hex(id)}', '${seed}', 1, 1, NULL);
    INSERT INTO passkeys VALUES (x'${hex(uuidv7(new Date(now)))}', x'${hex(id)}', x'${hexOf(credential.credentialId)}',
      x'${hexOf(credential.publicKey)}', -7, 'example.com', 0, 1, 1, '[]', x'${'0'.repeat(32)}', 'Passkey',
      '${await bindPasskey(ring(), credential)}', '[]', NULL);
    INSERT INTO recovery_codes VALUES (x'${hex(id)}', '${digest}')`)
  return id
}

const secretOf = (id: string) =>
  String(database.run(`SELECT secret FROM totps WHERE user_id = x'${hex(id)}'`)[0]?.['secret'])

function bindingOf(id: string): string {
  return String(database.run(`SELECT binding FROM passkeys WHERE user_id = x'${hex(id)}'`)[0]?.['binding'])
}

async function isWhole(id: string, kid: string): Promise<boolean> {
  const seed = await openData(ring(), 'totp-seed', [id], secretOf(id))
  const credential = { userId: id, credentialId: Buffer.from(`c${id}`), publicKey: Buffer.from(`k${id}`) }
  const isBound = await isBoundPasskey(ring(), { ...credential, binding: bindingOf(id) })
  const isUnder = [secretOf(id), bindingOf(id)].every((text) => text.startsWith(`${kid}.`))
  return isBound && isUnder && Buffer.from(seed ?? '').toString() === id.slice(0, 20)
}

/** @returns the ids of the old and the new key */
async function replaceKey(name: SetName = 'DATA_KEYS'): Promise<[old: string, active: string]> {
  await keys(`rotate ${name}`)
  now += announcementMs
  const [active = '', old = ''] = kids(name)
  return [old, active]
}

test('every second factor comes under the active key, and the old one is retired when no recovery code needs it', async () => {
  const ids = [await addUser(), await addUser()]
  const [old, active] = await replaceKey()
  const after = await addUser()
  const untouched = secretOf(after)
  await assert.rejects(
    keys(`retire DATA_KEYS ${old} --yes`),
    /is needed\. Made with it: 2 authenticator apps, 2 passkeys, 2 recovery codes\.\n.*npm run keys -- rewrap/,
  )
  await keys('rewrap --yes')
  for (const id of ids) assert.ok(await isWhole(id, active))
  assert.equal(secretOf(after), untouched)
  const text = said.join('\n')
  assert.match(text, new RegExp(`Under the key ${active} now: 2 authenticator apps, 2 passkeys\\.`))
  assert.match(text, new RegExp(`Still under the key ${old}: 2 recovery codes\\.`))

  await assert.rejects(keys(`retire DATA_KEYS ${old} --yes`), /Made with it: 2 recovery codes\./)
  database.run(`DELETE FROM recovery_codes WHERE digest LIKE '${old}.%'`)
  await keys(`retire DATA_KEYS ${old} --yes`)
  assert.deepEqual(kids('DATA_KEYS'), [active])
  for (const id of [...ids, after]) assert.ok(await isWhole(id, active))
})

test('more rows than fit into a page are rewritten in steps, and an interrupted run goes on where it ended', async () => {
  const ids: string[] = []
  for (let count = 0; count < 230; count++) ids.push(await addUser())
  const [old, active] = await replaceKey()
  const { wrangler } = fakeWrangler(account)
  let calls = 0
  await assert.rejects(
    keys('rewrap --yes', (args, options) =>
      args.includes('execute') && ++calls === 3
        ? Promise.resolve({ exitCode: 1, stdout: '', stderr: '✘ [ERROR] The network is away.' })
        : wrangler(args, options),
    ),
    (error) => error instanceof Error && /The network is away/.test(error.message) && !error.message.includes(active),
  )
  const under = () => ids.filter((id) => secretOf(id).startsWith(`${active}.`)).length
  assert.equal(under(), 100)
  commands = []
  await keys('rewrap --yes')
  assert.equal(under(), 230)
  for (const id of ids) assert.ok(await isWhole(id, active))
  assert.ok(commands.every((each) => each.length < 100_000))
  assert.match(
    said.join('\n'),
    new RegExp(`now: 130 authenticator apps, 230 passkeys\\.\nStill under the key ${old}: 230`),
  )
  commands = []
  await keys('rewrap --yes')
  assert.equal(commands.filter((each) => each.includes('UPDATE')).length, 0)
})

test('a row that no key of the file made is named, and left as it is', async () => {
  const [moved, swapped, tampered, good] = [await addUser(), await addUser(), await addUser(), await addUser()]
  const [, active] = await replaceKey()
  const secret = secretOf(good)
  const binding = bindingOf(good)
  const injection = `${kids('DATA_KEYS')[1]}.x'; DELETE FROM users; --`
  database.run(`UPDATE totps SET secret = '${secret}' WHERE user_id = x'${hex(moved)}';
    UPDATE passkeys SET binding = '${binding}' WHERE user_id = x'${hex(moved)}';
    UPDATE passkeys SET public_key = x'00' WHERE user_id = x'${hex(swapped)}';
    UPDATE totps SET secret = '${injection.replaceAll("'", "''")}' WHERE user_id = x'${hex(tampered)}'`)
  await assert.rejects(keys('rewrap --yes'), (error) => {
    assert.ok(error instanceof Error && error.name === 'Stop')
    assert.match(error.message, /left as they are/)
    assert.match(error.message, new RegExp(`authenticator apps: ${hex(moved)}`))
    assert.match(error.message, new RegExp(`authenticator apps: ${hex(tampered)}`))
    assert.equal(error.message.match(/passkeys: /g)?.length, 2)
    return true
  })
  assert.equal(secretOf(moved), secret)
  assert.equal(bindingOf(moved), binding)
  assert.equal(secretOf(tampered), injection)
  assert.ok(await isWhole(good, active))
  assert.ok(secretOf(swapped).startsWith(active))
})

test('a row that changes meanwhile keeps what was written', async () => {
  const id = await addUser()
  await replaceKey()
  const { wrangler } = fakeWrangler(account)
  const renewed = await sealData(ring(), 'totp-seed', [id], Buffer.from('another'))
  let isFirst = true
  await keys('rewrap --yes', async (args, options) => {
    const outcome = await wrangler(args, options)
    if (isFirst && args.includes('execute')) database.run(`UPDATE totps SET secret = '${renewed}'`)
    isFirst &&= !args.includes('execute')
    return outcome
  })
  assert.equal(secretOf(id), renewed)
})

test('nothing is rewritten under a key that some locations may not know, or without agreement', async () => {
  const id = await addUser()
  await keys('rotate DATA_KEYS')
  const before = secretOf(id)
  await assert.rejects(keys('rewrap --yes'), /may not know the active key yet\. Begin after 2026-11-22 12:10 UTC/)
  now += announcementMs
  await assert.rejects(keys('rewrap'), /Nothing was done\. Run it again with --yes/)
  assert.match(said.join('\n'), /The deployed Worker must have this key already/)
  assert.equal(secretOf(id), before)
})

test('a pepper is kept while a password or a registration needs it, and goes with --force', async () => {
  const [pepper = ''] = kids('PASSWORD_PEPPER')
  const hash = hexOf(
    Buffer.concat([Buffer.from([1, 24, 0, 0x61, 0xa8, pepper.length]), Buffer.from(pepper), Buffer.alloc(48)]),
  )
  const id = await addUser()
  database.run(`UPDATE users SET password_hash = x'${hash}' WHERE id = x'${hex(id)}'`)
  const [old, active] = await replaceKey('PASSWORD_PEPPER')
  await assert.rejects(keys(`retire PASSWORD_PEPPER ${old} --yes`), (error) => {
    assert.ok(error instanceof Error)
    assert.match(error.message, /is needed\. Made with it: 1 password\.\n.*--force/)
    assert.doesNotMatch(error.message, /rewrap/)
    return true
  })
  await assert.rejects(keys(`retire PASSWORD_PEPPER ${old} --force`), /Nothing was done/)
  assert.match(said.join('\n'), /Made with it: 1 password\.\nPasswords hashed with it never match again/)
  assert.deepEqual(kids('PASSWORD_PEPPER'), [active, old])
  await keys(`retire PASSWORD_PEPPER ${old} --force --yes`)
  assert.deepEqual(kids('PASSWORD_PEPPER'), [active])
})

test('a key that was replaced just now is kept, because some locations use it still', async () => {
  for (const name of ['PASSWORD_PEPPER', 'DATA_KEYS'] as const) {
    await keys(`rotate ${name}`)
    const [, old] = kids(name)
    await assert.rejects(keys(`retire ${name} ${old} --yes`), /may use it until .*After a leak, use --force/)
    await keys(`retire ${name} ${old} --yes --force`)
    assert.equal(kids(name).length, 1)
  }
})

test('a developer waits for no other locations', async () => {
  const local = (line: string) => keys(line, undefined, file)
  await local('rotate DATA_KEYS')
  assert.doesNotMatch(said.join('\n'), /Cloudflare/)
  await assert.rejects(local('rewrap --yes'), /There is no database on this machine yet/)
  const [active, old] = kids('DATA_KEYS')
  await local(`retire DATA_KEYS ${old} --yes`)
  assert.deepEqual(kids('DATA_KEYS'), [active])
})

test('an id that begins like another one counts nothing of it', async () => {
  await addUser()
  const [kid = ''] = kids('DATA_KEYS')
  assert.deepEqual(await usesOf(async (sql) => database.run(sql), 'DATA_KEYS', kid), [
    '1 authenticator app',
    '1 passkey',
    '1 recovery code',
  ])
  assert.deepEqual(await usesOf(async (sql) => database.run(sql), 'DATA_KEYS', kid.slice(0, -1)), [])
})

test('a key is kept when the database cannot be asked', async () => {
  const [old, active] = await replaceKey()
  const { wrangler } = fakeWrangler(account)
  const away: Wrangler = (args, options) =>
    args.includes('execute') ? Promise.resolve({ exitCode: 1, stdout: '', stderr: 'away' }) : wrangler(args, options)
  await assert.rejects(
    keys(`retire DATA_KEYS ${old} --yes --force`, away),
    /`wrangler d1 execute DB --remote --json` failed: away/,
  )
  assert.deepEqual(kids('DATA_KEYS'), [active, old])
})
