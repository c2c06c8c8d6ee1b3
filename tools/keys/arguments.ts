import { resolve } from 'node:path'
import type { SigningAlgorithm } from '../../src/crypto/keys.ts'
import { Stop, readArguments } from '../command.ts'
import type { KeysAction } from './command.ts'
import { signingAlgorithms } from './generate.ts'
import { type SetName, setNames } from './key-set.ts'
import type { KeysOptions } from './surroundings.ts'

export const usage = `npm run keys -- COMMAND [--file FILE] [--upload] [--yes]

  list [SET …]         show the keys: id, type, age and state
  announce SET         add a key that only verifies for now
  promote SET KID      make an announced key the active one
  rotate SET           add a key and make it active at once
  retire SET KID       remove a key: everything made with it becomes invalid
  rewrap               bring second factors under the active key of DATA_KEYS, so that older ones can be retired
  upload [SET …]       send the sets of the file to Cloudflare unchanged

SET is SIGNING_KEYS (access tokens), TOKEN_KEYS (refresh tokens, links), PASSWORD_PEPPER or DATA_KEYS (second factors). The
first key of a set is the active one, which makes new things; all keys verify. docs/keys.md shows a rotation step by step.

  --file FILE          the deployed keys, as \`npm run provision -- --save-secrets FILE\` wrote them;
                       by default the keys of this machine in .dev.vars
  --upload             send the changed set to Cloudflare as well
  --algorithm ALG      EdDSA or ES256, for a new signing key; by default that of the active key
  --force              retire a key of PASSWORD_PEPPER or DATA_KEYS although the database needs it: after a leak
  --yes                go ahead without asking`

export interface KeysArguments {
  action: KeysAction
  options: KeysOptions
}

/**
 * Reads the command line.
 *
 * @param localFile the file with the keys of this machine
 * @throws {Stop} with the usage, when the arguments make no command
 */
export function readKeysArguments(args: string[], localFile: string): KeysArguments | 'help' {
  const { values, positionals } = readArguments({ args, allowPositionals: true, options: flags }, usage)
  if (values.help) return 'help'
  const file = values.file ?? localFile
  const action = readAction(positionals, values.algorithm)
  if (values.force && action.verb !== 'retire') throw misused('--force applies to retire only.')
  if (values.upload && action.verb === 'rewrap') throw misused('rewrap changes no key, so there is nothing to upload.')
  const options = {
    file,
    isLocal: resolve(file) === resolve(localFile),
    uploads: values.upload,
    isConfirmed: values.yes,
    isForced: values.force,
  }
  return { action, options }
}

const flags = {
  file: { type: 'string' },
  upload: { type: 'boolean', default: false },
  yes: { type: 'boolean', default: false },
  force: { type: 'boolean', default: false },
  algorithm: { type: 'string' },
  help: { type: 'boolean' },
} as const

function readAction([verb = '', ...rest]: string[], algorithm: string | undefined): KeysAction {
  const [name = '', kid, ...more] = rest
  switch (verb) {
    case 'rewrap':
      if (rest.length > 0) break
      return { verb }
    case 'list':
    case 'upload':
      return { verb, sets: rest.length > 0 ? rest.map(readSetName) : undefined }
    case 'announce':
    case 'rotate':
      if (kid !== undefined) break
      return { verb, set: readSetName(name), algorithm: readAlgorithm(name, algorithm) }
    case 'promote':
    case 'retire':
      if (kid === undefined || more.length > 0) throw misused(`${verb} needs a set and the id of a key.`)
      return { verb, set: readSetName(name), kid }
  }
  throw misused(verb === '' ? 'COMMAND is missing.' : `There is no command "${[verb, ...rest].join(' ')}".`)
}

function readSetName(text: string): SetName {
  const name = setNames.find((each) => each === text)
  if (!name) throw misused(`SET must be one of ${setNames.join(', ')}, not "${text}".`)
  return name
}

function readAlgorithm(set: string, text: string | undefined): SigningAlgorithm | undefined {
  if (text === undefined) return undefined
  if (set !== 'SIGNING_KEYS') throw misused('--algorithm applies to SIGNING_KEYS only.')
  const algorithm = signingAlgorithms.find((each) => each === text)
  if (!algorithm) throw misused(`--algorithm must be EdDSA or ES256, not "${text}".`)
  return algorithm
}

function misused(what: string): Stop {
  return new Stop(`${what}\n\n${usage}`)
}
