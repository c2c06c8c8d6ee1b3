import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { SigningAlgorithm } from '../../src/crypto/keys.ts'
import { Stop } from '../stop.ts'
import type { KeysAction, KeysOptions } from './command.ts'
import { type SetName, setNames } from './key-set.ts'

export const usage = `npm run keys -- COMMAND [--file FILE] [--upload] [--yes]

  list                 show the keys: id, type, age, which one makes
  announce SET         add a key that verifies and does not make yet
  promote SET KID      let an announced key make
  rotate SET           add a key that makes at once
  retire SET KID       drop a key: nothing that it made is good any more
  upload [SET …]       send the sets of the file to Cloudflare as they are

SET is SIGNING_KEYS (access tokens), TOKEN_KEYS (refresh tokens, links) or PASSWORD_PEPPER. In each set the first key
makes and all verify. docs/keys.md goes through a rotation step by step.

  --file FILE          where the deployed keys are kept, as \`npm run provision -- --save-secrets FILE\` wrote them;
                       without it the keys of this machine in .dev.vars
  --upload             send the changed set to Cloudflare as well
  --algorithm ALG      EdDSA or ES256, for a new signing key; without it that of the key that makes
  --yes                go ahead without asking`

export interface KeysArguments {
  action: KeysAction
  options: KeysOptions
}

/**
 * Reads the command line.
 *
 * @param localFile the file of this machine's own keys
 * @throws {Stop} with the usage, when it asks for nothing there is
 */
export function readKeysArguments(args: string[], localFile: string): KeysArguments | 'help' {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  const file = values.file ?? localFile
  const action = readAction(positionals, values.algorithm)
  const options = {
    file,
    isLocal: resolve(file) === resolve(localFile),
    uploads: values.upload ?? false,
    isConfirmed: values.yes ?? false,
  }
  return { action, options }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        file: { type: 'string' },
        upload: { type: 'boolean' },
        yes: { type: 'boolean' },
        algorithm: { type: 'string' },
        help: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw misused(error instanceof Error ? error.message : String(error))
  }
}

function readAction([verb = '', ...rest]: string[], algorithm: string | undefined): KeysAction {
  const [name = '', kid, ...more] = rest
  switch (verb) {
    case 'list':
      if (rest.length > 0) break
      return { verb }
    case 'upload':
      return { verb, sets: rest.length > 0 ? rest.map(readSetName) : undefined }
    case 'announce':
    case 'rotate':
      if (kid !== undefined) break
      return { verb, set: readSetName(name), algorithm: readAlgorithm(name, algorithm) }
    case 'promote':
    case 'retire':
      if (kid === undefined || more.length > 0) throw misused(`${verb} takes a set and the id of a key.`)
      return { verb, set: readSetName(name), kid }
  }
  throw misused(verb === '' ? 'What is to be done?' : `There is no command "${[verb, ...rest].join(' ')}".`)
}

function readSetName(text: string): SetName {
  const name = setNames.find((each) => each === text)
  if (!name) throw misused(`SET is one of ${setNames.join(', ')}, not "${text}".`)
  return name
}

function readAlgorithm(set: string, text: string | undefined): SigningAlgorithm | undefined {
  if (text === undefined) return undefined
  if (set !== 'SIGNING_KEYS') throw misused('--algorithm is for SIGNING_KEYS.')
  if (text !== 'EdDSA' && text !== 'ES256') throw misused(`--algorithm is EdDSA or ES256, not "${text}".`)
  return text
}

function misused(what: string): Stop {
  return new Stop(`${what}\n\n${usage}`)
}
