/** The composition root: turns bindings into what the services need, once for each request or job. */
import { accessTokenSeconds, deviceTokenSeconds, factorTokenSeconds, trustTokenSeconds } from './config/policy.ts'
import { type Config, type Secrets, type Settings, archiveOf, readSettings } from './config/settings.ts'
import { type WorkFactor, productionWork } from './crypto/password.ts'
import type { TokenSettings } from './crypto/tokens.ts'
import { type Measure, measureIn } from './metrics.ts'
import { isNearlyFull } from './store/capacity.ts'
import { type Db, type Tally, connect } from './store/db.ts'
import { type Replicas, connectReplicas } from './store/replicas.ts'

/** The parts of the outside world that tests replace. */
export interface Platform {
  now: () => Date
  sleep: (ms: number) => Promise<void>
  /** Lets the other requests of this isolate run for at least this long. 0 gives each of them one turn. */
  letOthersRun: (ms: number) => Promise<void>
  /** From 0 to 1, for the length of pauses. Never for anything that has to be hard to guess. */
  random: () => number
  work: WorkFactor
}

export const production: Platform = {
  now: () => new Date(),
  sleep: (ms) => scheduler.wait(ms),
  letOthersRun: (ms) => scheduler.wait(ms),
  random: Math.random,
  work: productionWork,
}

/** Where a request comes from, as sessions and audit events store it. */
export interface Origin {
  requestId: string
  ip: string | null
  country: string | null
  userAgent: string | null
}

/** The message in the mail queue: the outbox row to deliver. */
export interface MailJob {
  id: string
}

export interface Ctx extends Platform {
  config: Config
  secrets: Secrets
  tokens: TokenSettings
  /** The primary. For a read that may lag, `authenticateForReading` puts a replica in its place. */
  db: Db
  /** `null` when every query goes to the primary. */
  replicas: Pick<Replicas, 'nearby' | 'newestBookmark'> | null
  /** What this request or job has cost at D1 until now. */
  tally: Tally
  /** Whether the rest of the database is for known users, as far as this isolate has heard. */
  isNearlyFull: () => boolean
  revocations: KVNamespace
  mailQueue: Queue<MailJob>
  /** Where old audit events go; `null` when they are deleted. */
  auditArchive: R2Bucket | null
  measure: Measure
  origin: Origin
  /** Runs `work` after the response (waitUntil). `work` must log its own failures. */
  defer: (work: Promise<void>) => void
}

/** What all requests and jobs of an environment have in common. */
type Shared = Pick<Ctx, 'config' | 'secrets' | 'tokens' | 'revocations' | 'mailQueue' | 'auditArchive' | 'measure'>

const sharedBy = new WeakMap<Settings, Shared>()

function sharedOf(env: Env, settings: Settings): Shared {
  let shared = sharedBy.get(settings)
  if (!shared) sharedBy.set(settings, (shared = share(env, settings)))
  return shared
}

function share(env: Env, { config, secrets }: Settings): Shared {
  return {
    config,
    secrets,
    tokens: {
      issuer: config.publicUrl,
      audience: config.audience,
      signingKeys: secrets.signingKeys,
      secretKeys: secrets.tokenKeys,
      accessTokenSeconds,
      deviceTokenSeconds,
      factorTokenSeconds,
      trustTokenSeconds,
    },
    revocations: env.REVOCATIONS,
    mailQueue: env.MAIL_QUEUE,
    auditArchive: archiveOf(env),
    measure: measureIn(env),
  }
}

/** @throws {ConfigError} if the configuration is invalid */
export async function createContext(
  env: Env,
  platform: Platform,
  origin: Origin,
  execution: Pick<ExecutionContext, 'waitUntil'>,
): Promise<Ctx> {
  const shared = sharedOf(env, await readSettings(env))
  const tally = { calls: 0, ms: 0 }
  const replicas = shared.config.readsReplicas ? connectReplicas(env.DB, platform, tally) : null
  return {
    ...platform,
    ...shared,
    db: replicas?.primary ?? connect(env.DB, platform, tally),
    replicas,
    tally,
    isNearlyFull: () => isNearlyFull(env.DB, platform.now()),
    origin,
    defer: (work) => execution.waitUntil(work),
  }
}
