/** The composition root: bindings in, what the services need out. One for each request or job. */
import { accessTokenSeconds, deviceTokenSeconds } from './config/policy.ts'
import { type Config, type Secrets, readSettings } from './config/settings.ts'
import { type WorkFactor, productionWork } from './crypto/password.ts'
import type { TokenSettings } from './crypto/tokens.ts'
import { type Db, connect } from './store/db.ts'

/** What the outside world gives us and a test replaces. */
export interface Platform {
  now: () => Date
  sleep: (ms: number) => Promise<void>
  /** From 0 to 1, for pauses. Nothing that has to be hard to guess comes from here. */
  random: () => number
  work: WorkFactor
}

export const production: Platform = {
  now: () => new Date(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: Math.random,
  work: productionWork,
}

/** Who asks, as sessions and audit events remember it. */
export interface Origin {
  requestId: string
  ip: string | null
  country: string | null
  userAgent: string | null
}

/** The message in the mail queue: which outbox row to deliver. */
export interface MailJob {
  id: string
}

export interface Ctx extends Platform {
  config: Config
  secrets: Secrets
  tokens: TokenSettings
  db: Db
  revocations: KVNamespace
  mailQueue: Queue<MailJob>
  origin: Origin
  /** Goes on with work after the answer. Its failure is the work's own to log. */
  defer: (work: Promise<void>) => void
}

/** @throws {ConfigError} when the environment is not fit to serve. */
export async function createContext(
  env: Env,
  platform: Platform,
  origin: Origin,
  execution: Pick<ExecutionContext, 'waitUntil'>,
): Promise<Ctx> {
  const { config, secrets } = await readSettings(env)
  return {
    ...platform,
    config,
    secrets,
    tokens: {
      issuer: config.publicUrl,
      audience: config.audience,
      signingKeys: secrets.signingKeys,
      secretKeys: secrets.tokenKeys,
      accessTokenSeconds,
      deviceTokenSeconds,
    },
    db: connect(env.DB, platform),
    revocations: env.REVOCATIONS,
    mailQueue: env.MAIL_QUEUE,
    origin,
    defer: (work) => execution.waitUntil(work),
  }
}
