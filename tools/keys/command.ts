import { type SigningAlgorithm, KeyError, parseSecretKeys, parseSigningKeys } from '../../src/crypto/keys.ts'
import { listSecrets } from '../cloudflare/account.ts'
import { confirm } from '../cloudflare/ask.ts'
import { requireLogin } from '../cloudflare/login.ts'
import { uploadSecrets } from '../cloudflare/secrets.ts'
import { requireNewestDeployed } from '../cloudflare/versions.ts'
import { Stop, messageOf } from '../command.ts'
import { describeRetirement } from './dependents.ts'
import { describeSet } from './describe.ts'
import { generateKey } from './generate.ts'
import { type KeyFile, readKeyFile, replaceSecret } from './key-file.ts'
import {
  type KeySet,
  type SetName,
  announce,
  announcementMs,
  find,
  minuteOf,
  promote,
  readSet,
  retire,
  rotate,
  setNames,
  writeSet,
} from './key-set.ts'
import { rewrapAll } from './rewrap-command.ts'
import { requireUnused } from './still-used.ts'
import type { KeysOptions, KeysSurroundings } from './surroundings.ts'

type Change =
  | { verb: 'announce' | 'rotate'; set: SetName; algorithm: SigningAlgorithm | undefined }
  | { verb: 'promote' | 'retire'; set: SetName; kid: string }

export type KeysAction =
  | { verb: 'list'; sets: readonly SetName[] | undefined }
  | { verb: 'upload'; sets: readonly SetName[] | undefined }
  | { verb: 'rewrap' }
  | Change

/** Shows and changes key sets. Never prints any part of a key. */
export async function manageKeys(around: KeysSurroundings, action: KeysAction, options: KeysOptions): Promise<void> {
  const file = readKeyFile(options.file)
  if (action.verb === 'list') {
    for (const name of action.sets ?? setNames) {
      if (file.secrets[name] === undefined) around.say(`${name} is not in ${file.path}`)
      else await show(around, file, name)
    }
  } else if (action.verb === 'rewrap') {
    const text = textOf(file, 'DATA_KEYS')
    await check(file, 'DATA_KEYS', text)
    await rewrapAll(around, text, options)
  } else if (action.verb === 'upload') {
    await upload(around, file, action.sets ?? setNames.filter((name) => file.secrets[name] !== undefined), options)
  } else {
    await change(around, file, action, options)
  }
}

/** Changes the file before Cloudflare: the next rotation would lose a key that only Cloudflare has. */
async function change(around: KeysSurroundings, file: KeyFile, action: Change, options: KeysOptions): Promise<void> {
  const { set } = action
  const before = await setIn(file, set)
  const { after, notes } = await decide(action, before, options, around)
  const text = writeSet(after)
  await check(file, set, text)
  if (options.uploads) await requireDeployed(around, [set], options)
  for (const line of notes) around.say(line)
  if (options.uploads) around.say(`The new ${set} will be uploaded to Cloudflare and used at once.`)
  if (options.uploads || action.verb === 'retire') await confirm(around.asker, options.isConfirmed)

  replaceSecret(file, set, text)
  around.say(`${file.path} has the new ${set}:`)
  for (const line of describeSet(set, after, around.now()).slice(1)) around.say(line)
  if (options.uploads) await send(around, { [set]: text }, file)
  else around.say(options.isLocal ? 'Restart `npm run dev` to use it.' : `Next: ${uploadCommand([set], file)}`)
}

/** The set after a change, and notes for the operator to read before agreeing. */
async function decide(
  action: Change,
  keys: KeySet,
  options: KeysOptions,
  around: KeysSurroundings,
): Promise<{ after: KeySet; notes: string[] }> {
  const now = around.now()
  switch (action.verb) {
    case 'announce': {
      const key = newKey(action, keys, now)
      const due = minuteOf(now.getTime() + announcementMs)
      const promotion = `npm run keys -- promote ${action.set} ${key.kid}${options.isLocal ? '' : ` --file ${options.file}`}${options.uploads ? ' --upload' : ''}`
      return {
        after: announce(keys, key, now),
        notes: [`The new key ${key.kid} only verifies for now. After ${due}, promote it: ${promotion}`],
      }
    }
    case 'rotate': {
      const key = newKey(action, keys, now)
      const caches = action.set === 'SIGNING_KEYS' ? ', and services that have cached the JWKS for five minutes' : ''
      const note = `Cloudflare's locations for some seconds${caches} refuse what this key signs, because they do not know it yet. To avoid this, announce a key and promote it later.`
      return {
        after: rotate(keys, key, now),
        notes: [`The new key ${key.kid} is active at once.${options.isLocal ? '' : ` ${note}`}`],
      }
    }
    case 'promote':
      return { after: promote(keys, action.kid, now), notes: [`The key ${action.kid} becomes the active one.`] }
    case 'retire': {
      const after = retire(keys, action.kid)
      const retired = find(keys, action.kid)
      const uses = await requireUnused(around, action.set, retired, options)
      return {
        after,
        notes: [`The key ${action.kid} will be removed.`, ...describeRetirement(action.set, retired, uses, now)],
      }
    }
  }
}

/** Keeps the algorithm of the active key by default: some verifiers may support only that one. */
function newKey({ set, algorithm }: Extract<Change, { verb: 'announce' | 'rotate' }>, [first]: KeySet, now: Date) {
  return generateKey(set, algorithm ?? (first.crv === 'P-256' ? 'ES256' : 'EdDSA'), now)
}

async function upload(
  around: KeysSurroundings,
  file: KeyFile,
  sets: readonly SetName[],
  options: KeysOptions,
): Promise<void> {
  if (sets.length === 0) throw new Stop(`${file.path} has no key set.`)
  for (const name of sets) await show(around, file, name)
  await requireDeployed(around, sets, options)
  around.say(
    `These sets will be uploaded from ${file.path} and used at once. A key that only Cloudflare has will be lost.`,
  )
  await confirm(around.asker, options.isConfirmed)
  await send(around, Object.fromEntries(sets.map((name) => [name, textOf(file, name)])), file)
}

/** @throws {Stop} when these keys cannot belong to the Worker of this login. Nothing has been changed then. */
async function requireDeployed(
  { wrangler, env }: KeysSurroundings,
  sets: readonly SetName[],
  { isLocal }: KeysOptions,
): Promise<void> {
  if (isLocal) {
    throw new Stop('The keys of this machine are not uploaded: name the file of the deployed keys with --file.')
  }
  await requireLogin(wrangler, env)
  const present = await listSecrets(wrangler)
  await requireNewestDeployed(wrangler)
  const absent = sets.filter((name) => !present.includes(name))
  if (absent.length > 0) {
    throw new Stop(
      `The Worker at Cloudflare has no ${absent.join(', ')}: \`npm run provision\` creates the first ones.`,
    )
  }
}

async function send(
  { wrangler, say }: KeysSurroundings,
  secrets: Record<string, string>,
  file: KeyFile,
): Promise<void> {
  const sets = Object.keys(secrets)
  try {
    await uploadSecrets(wrangler, secrets)
  } catch (error) {
    throw new Stop(
      `${messageOf(error)}\n${file.path} has the keys, Cloudflare may not. To try again: ${uploadCommand(sets, file)}`,
    )
  }
  say(`uploaded ${sets.join(', ')}`)
}

async function show({ say, now }: KeysSurroundings, file: KeyFile, name: SetName): Promise<void> {
  for (const line of describeSet(name, await setIn(file, name), now())) say(line)
}

function uploadCommand(sets: readonly string[], { path }: KeyFile): string {
  return `npm run keys -- upload ${sets.join(' ')} --file ${path}`
}

async function setIn(file: KeyFile, name: SetName): Promise<KeySet> {
  const text = textOf(file, name)
  await check(file, name, text)
  return readSet(text)
}

function textOf({ path, secrets }: KeyFile, name: SetName): string {
  const text = secrets[name]
  if (text === undefined) throw new Stop(`${path} has no ${name}.`)
  return text
}

/** @throws {Stop} when the service would refuse this set. */
async function check({ path }: KeyFile, name: SetName, text: string): Promise<void> {
  try {
    await (name === 'SIGNING_KEYS' ? parseSigningKeys(text) : parseSecretKeys(text))
  } catch (error) {
    if (error instanceof KeyError) throw new Stop(`${path}: ${name} ${error.message}.`)
    throw error
  }
}
