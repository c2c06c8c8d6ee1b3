/** Second factors without the API: rows as the service stores them, and what a person's app and paper show. */
import { env } from 'cloudflare:workers'
import { Secret, TOTP } from 'otpauth'
import { sealData } from '../../src/crypto/data-keys.ts'
import { parseSecretKeys } from '../../src/crypto/keys.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import { digestsOfCode, newRecoveryCode } from '../../src/crypto/recovery-code.ts'
import { newSeed } from '../../src/crypto/totp.ts'
import { connect } from '../../src/store/db.ts'
import { recoveryCodes } from '../../src/store/schema/recovery-codes.ts'
import { totps } from '../../src/store/schema/totps.ts'
import type { Clock } from './clock.ts'
import type { Person } from './person.ts'
import { testSecrets } from './test-secrets.ts'
import { write } from './state.ts'

const dataKeys = parseSecretKeys(testSecrets.DATA_KEYS)

/** An authenticator app that read a secret. */
export class App {
  readonly #totp: TOTP
  readonly #clock: Clock

  constructor(secret: string | Uint8Array<ArrayBuffer>, clock: Clock) {
    this.#totp = new TOTP({ secret: typeof secret === 'string' ? secret : new Secret({ buffer: secret.buffer }) })
    this.#clock = clock
  }

  /** As people type it. */
  get secret(): string {
    return this.#totp.secret.base32
  }

  get secretInBase64(): string {
    return btoa(String.fromCharCode(...this.#totp.secret.bytes)).replace(/=+$/, '')
  }

  /** The code that it shows now, or some steps later or earlier. */
  code(steps = 0): string {
    return this.#totp.generate({ timestamp: this.#clock.now().getTime() + steps * 30_000 })
  }

  /** A code that it shows at no time around now. */
  wrongCode(): string {
    const shown = [-2, -1, 0, 1, 2].map((steps) => this.code(steps))
    return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !shown.includes(code))!
  }
}

/** Adds an authenticator app by the API. The recovery codes come with the first factor. */
export async function enrolApp(person: Person, mailCode?: string): Promise<GivenFactors> {
  const { clock } = person.service
  const { setup_token, secret } = await person.startTotp()
  const app = new App(secret, clock)
  const body = { setup_token, code: app.code(), ...(mailCode !== undefined && { mail_code: mailCode }) }
  const { recovery_codes: recoveryCodes = [] } = await person.confirmTotp(body)
  return { app, recoveryCodes }
}

export interface GivenFactors {
  app: App
  recoveryCodes: string[]
}

/** Gives an account an authenticator app and eight recovery codes. The next code of the app counts. */
export async function giveFactors(userId: string, clock: Clock, seed = newSeed()): Promise<GivenFactors> {
  const db = connect(env.DB)
  const now = clock.now()
  const secret = await sealData(dataKeys, 'totp-seed', [userId], seed)
  await db.insert(totps).values({ userId, secret, lastStep: 0, createdAt: now })
  const codes = Array.from({ length: 8 }, newRecoveryCode)
  const rows = codes.map(async (code) => ({ userId, digest: (await digestsOfCode(dataKeys, userId, code))[0]! }))
  await db.insert(recoveryCodes).values(await Promise.all(rows))
  await write('update users set factors_id = ? where id = ?', uuidv7(now), userId)
  return { app: new App(seed, clock), recoveryCodes: codes }
}

/** The factor token of a sign-in that asks for a second factor. */
export function factorTokenIn(problem: object): string {
  return (problem as { factor_token: string }).factor_token
}
