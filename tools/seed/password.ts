import { createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { Stop, messageOf } from '../command.ts'

const version = 1
const rounds = 24
const iterations = 25_000
const hashBytes = 32

/**
 * Hashes a password under the local pepper as src/crypto/password.ts does, once for everybody: 600,000 iterations for
 * each of two hundred thousand people would take hours. It uses Node's own PBKDF2, because that module has the types of
 * Workers. A test signs in with the result.
 *
 * @throws {Stop} when `.dev.vars` has no readable pepper.
 */
export function hashForEverybody(password: string, devVarsPath: string): Uint8Array<ArrayBuffer> {
  const { kid, key } = localPepper(devVarsPath)
  const salt = randomBytes(16)
  let output = salt
  for (let round = 0; round < rounds; round++) {
    output = pbkdf2Sync(password.normalize('NFC'), output, iterations, hashBytes, 'sha256')
  }
  const hash = createHmac('sha256', key).update(output).digest()
  const head = [version, rounds, iterations >> 16, (iterations >> 8) & 0xff, iterations & 0xff, kid.length]
  return Uint8Array.from([...head, ...Buffer.from(kid), ...salt, ...hash])
}

/** The active key, which is the first. */
function localPepper(devVarsPath: string) {
  try {
    return parseSecretKeys(parseEnv(readFileSync(devVarsPath, 'utf8'))['PASSWORD_PEPPER'] ?? '')[0]
  } catch (error) {
    throw new Stop(`PASSWORD_PEPPER in .dev.vars ${messageOf(error)}: delete the file to have a new one generated.`)
  }
}
