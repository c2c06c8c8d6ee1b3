import { createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Stop } from '../stop.ts'

const rounds = 6
const iterations = 100_000
const hashBytes = 32

/**
 * The stored form of a password as src/crypto/password.ts makes it, under the local pepper. Worked out once for everybody:
 * 600,000 iterations for each of two hundred thousand people would take hours. Made with Node's own PBKDF2, since that
 * module is typed for Workers; a test signs in with what this makes.
 *
 * @throws {Stop} when `.dev.vars` has no pepper that can be read.
 */
export function hashForEverybody(password: string, devVarsPath: string): string {
  const { kid, k } = localPepper(devVarsPath)
  const salt = randomBytes(16)
  let output = salt
  for (let round = 0; round < rounds; round++) {
    output = pbkdf2Sync(password.normalize('NFC'), output, iterations, hashBytes, 'sha256')
  }
  const hash = createHmac('sha256', Buffer.from(k, 'base64url')).update(output).digest('base64url')
  return `$pbkdf2-sha256-chain$v=1$r=${rounds},i=${iterations},p=${kid}$${salt.toString('base64url')}$${hash}`
}

/** The first key of the set: the one that makes. */
function localPepper(devVarsPath: string): { kid: string; k: string } {
  const line = /^\s*(?:export\s+)?PASSWORD_PEPPER\s*=\s*(.*?)\s*$/m.exec(readFileSync(devVarsPath, 'utf8'))?.[1]
  try {
    const { keys } = JSON.parse((line ?? '').replace(/^(['"])(.*)\1$/, '$2')) as { keys: { kid: string; k: string }[] }
    return keys[0]!
  } catch {
    throw new Stop('PASSWORD_PEPPER in .dev.vars cannot be read: delete the file to have a new one made.')
  }
}
