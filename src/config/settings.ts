import * as z from 'zod/mini'
import { type KeyRing, type SecretKey, type SigningKey, parseSecretKeys, parseSigningKeys } from '../crypto/keys.ts'
import {
  type SecondFactorRule,
  ceilingFactor,
  daysOr,
  daysRule,
  flag,
  host,
  mailbox,
  mayBeRpIdOf,
  minLength,
  onOrOff,
  orNull,
  origin,
  origins,
  ownOrigins,
  rpIdRule,
  secondFactorRule,
  secureUrl,
  siteKey,
  supportUrl,
  variableText,
} from './values.ts'
import { importWebhookKey } from '../crypto/webhook-signature.ts'
import { normalizeEmailAddress } from '../email-address.ts'
import { auditDays } from './policy.ts'
import { rateLimits, userLimit } from './rate-limits.ts'
import { required, variable } from './variable.ts'

/** Settings that may show in logs, emails and answers. */
export interface Config {
  isDevelopment: boolean
  /** Nothing but the health checks is served, no email is delivered and no job runs. */
  isUnderMaintenance: boolean
  /** An origin without a trailing slash: the issuer of tokens, and the first part of every link. */
  publicUrl: string
  /**
   * The origins whose pages are our own, for cookies: that of `publicUrl`, and in development the other name of this
   * machine.
   */
  ownOrigins: readonly string[]
  productName: string
  mailFrom: string
  /** Where people reach whoever runs the service: `mailto:` or `https:`. `null` when emails name no contact. */
  supportUrl: string | null
  /** Whom `security.txt` names. `null`: there is none. */
  securityContact: string | null
  audience: string
  bootstrapAdminEmail: string | null
  passwordMinLength: number
  resendBaseUrl: string
  turnstileUrl: string
  /** The origins whose pages may read answers, spelled as browsers spell them. */
  corsOrigins: readonly string[]
  /** Whether calls are counted by client address. Only development can turn it off. */
  limitsRates: boolean
  /** Whether reads that may lag go to a replica of the database. */
  readsReplicas: boolean
  /** How long audit events stay in D1. */
  auditDays: number
  /** How long the archive keeps them, counted from the event. */
  auditArchiveDays: number
  /** What the ceilings of the policy are multiplied by. */
  ceilingFactor: number
  /** The origin of a Pwned Passwords service; `null` when passwords are not looked up. */
  pwnedPasswordsUrl: string | null
  /** Whether a password is refused when the service does not answer. */
  requiresBreachCheck: boolean
  /** Whose accounts must have a second factor. `null` when the variable is not set: nobody's, and `/readyz` warns. */
  secondFactor: SecondFactorRule | null
  /** The RP ID of passkeys (WebAuthn §4): a host. */
  rpId: string
}

/**
 * Settings that must not appear in logs, emails or answers. A separate type, so that they are never logged with the
 * rest.
 */
export interface Secrets {
  signingKeys: KeyRing<SigningKey>
  tokenKeys: KeyRing<SecretKey>
  peppers: KeyRing<SecretKey>
  /** Seal what has to be read back, and bind second factors to their accounts. */
  dataKeys: KeyRing<SecretKey>
  resendApiKey: string
  /** `null` when nobody has to solve a challenge. */
  turnstileSecret: string | null
  /** `null` when Resend's webhooks are not used: deliveries and bounces stay unknown. */
  resendWebhookKey: CryptoKey | null
}

export interface Settings {
  config: Config
  secrets: Secrets
}

/** All problems with the variables, secrets and bindings, worded for the operator. Never contains a value of them. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.problems = problems
  }
}

const settingsOf = new WeakMap<Env, Promise<Settings>>()

/**
 * Reads and checks an environment, once.
 *
 * @throws {ConfigError} with all problems at once: the service must not run on half a configuration
 */
export function readSettings(env: Env): Promise<Settings> {
  let settings = settingsOf.get(env)
  if (!settings) {
    settings = interpret(env)
    settingsOf.set(env, settings)
  }
  return settings
}

/** The bucket of the audit archive; `null` when old events are deleted. */
export function archiveOf({ AUDIT_ARCHIVE: bucket }: Env): R2Bucket | null {
  return bucket ?? null
}

const limiters = [...Object.values(rateLimits), userLimit].map(({ binding }) => binding)
const bindings = ['DB', 'REVOCATIONS', 'MAIL_QUEUE', ...limiters] as const

/** Every variable and secret. A rule is worded to follow the name: "PUBLIC_URL must be …". */
function variables(isDevelopment: boolean, hasArchive: boolean) {
  const secureOrigin = (text: string) => origin(text, isDevelopment)
  return z
    .object({
      PUBLIC_URL: required('must be an https origin, such as https://accounts.example.com', secureOrigin),
      RESEND_BASE_URL: required('must be an https origin', secureOrigin),
      TURNSTILE_URL: required('must be an https URL', (text) => secureUrl(text, isDevelopment)),
      PWNED_PASSWORDS_URL: variable('must be an https origin, or empty for no breach check', orNull(secureOrigin)),
      PWNED_PASSWORDS_REQUIRED: variable('must be "true" or "false"', flag),
      MAIL_FROM: required('must be an address, or "Name <address>"', mailbox),
      SUPPORT_CONTACT: variable('must be an e-mail address, an https URL, or empty', orNull(supportUrl)),
      SECURITY_CONTACT: variable('must be an e-mail address, an https URL, or empty', orNull(supportUrl)),
      BOOTSTRAP_ADMIN_EMAIL: variable('must be an e-mail address or empty', orNull(normalizeEmailAddress)),
      PASSWORD_MIN_LENGTH: variable('must be a whole number from 8 to 64', minLength),
      CORS_ORIGINS: variable(
        'must be https origins such as https://app.example.com, with commas between them, or empty',
        (text) => origins(text, isDevelopment),
      ),
      RATE_LIMITS: variable('must be "on"; only in development it may be "off"', (text) =>
        onOrOff(text, isDevelopment),
      ),
      READ_REPLICAS: variable('must be "true" or "false"', flag),
      AUDIT_DAYS: variable(daysRule, daysOr(hasArchive ? auditDays.beforeArchive : auditDays.kept)),
      AUDIT_ARCHIVE_DAYS: variable(daysRule, daysOr(auditDays.kept)),
      CEILING_FACTOR: variable('must be a whole number from 1 to 1000', ceilingFactor),
      TOKEN_KEYS: required('cannot be read', parseSecretKeys),
      PASSWORD_PEPPER: required('cannot be read', parseSecretKeys),
      DATA_KEYS: required('cannot be read', parseSecretKeys),
      SIGNING_KEYS: required('cannot be read', parseSigningKeys),
      RESEND_API_KEY: required('', String),
      RESEND_WEBHOOK_SECRET: variable(
        'must be a signing secret of Resend, whsec_ and base64, or not be set',
        orNull(importWebhookKey),
      ),
      TURNSTILE_SITE_KEY: variable('must be a site key as Cloudflare shows it, or empty', orNull(siteKey)),
      TURNSTILE_SECRET: variable('', orNull(String)),
      MAINTENANCE: variable('must be "true" or "false"', flag),
      SECOND_FACTOR: variable('must be "optional", "staff" or "all"', orNull(secondFactorRule)),
      WEBAUTHN_RP_ID: variable('must be a host, such as example.com, or empty', orNull(host)),
      AUDIENCE: required('', String),
      PRODUCT_NAME: required('', String),
    })
    .check(
      // A value that broke its own rule is no boolean here.
      z.refine((all) => ![true].includes(all.PWNED_PASSWORDS_REQUIRED) || all.PWNED_PASSWORDS_URL !== null, {
        path: ['PWNED_PASSWORDS_REQUIRED'],
        error: 'is "true" without a PWNED_PASSWORDS_URL',
      }),
      z.refine((all) => !hasArchive || !(all.AUDIT_ARCHIVE_DAYS <= all.AUDIT_DAYS), {
        path: ['AUDIT_ARCHIVE_DAYS'],
        error: 'must be more than AUDIT_DAYS',
      }),
      // Otherwise the pages could never register anybody, nor send a reset link.
      z.refine((all) => all.TURNSTILE_SECRET === null || all.TURNSTILE_SITE_KEY !== null, {
        path: ['TURNSTILE_SITE_KEY'],
        error: 'is not set, though there is a TURNSTILE_SECRET: the pages need both',
      }),
      z.refine((all) => mayBeRpIdOf(all.PUBLIC_URL, all.WEBAUTHN_RP_ID), { path: ['WEBAUTHN_RP_ID'], error: rpIdRule }),
      // The audience of refresh tokens and links is the issuer, so access tokens need another one. Values that break
      // their own rules get here, too.
      z.refine((all) => all.AUDIENCE !== all.PUBLIC_URL || !URL.canParse(all.AUDIENCE), {
        path: ['AUDIENCE'],
        error: 'must not be the same as PUBLIC_URL',
      }),
    )
}

async function interpret(env: Env): Promise<Settings> {
  const isDevelopment = variableText(env.ENVIRONMENT) === 'development'
  const schema = variables(isDevelopment, Boolean(archiveOf(env)))
  const { data, error } = await schema.safeParseAsync(env)
  const missing = bindings.filter((name) => !env[name]).map((name) => `the binding ${name} is missing`)
  if (!data || missing.length > 0) {
    const names = Object.keys(schema.shape)
    // Asynchronous parsers finish in any order; problems are reported in the order of the schema.
    const issues = error?.issues.toSorted((a, b) => names.indexOf(String(a.path[0])) - names.indexOf(String(b.path[0])))
    throw new ConfigError([...missing, ...(issues ?? []).map(({ path, message }) => `${String(path[0])} ${message}`)])
  }
  return {
    config: {
      isDevelopment,
      isUnderMaintenance: data.MAINTENANCE,
      publicUrl: data.PUBLIC_URL,
      ownOrigins: ownOrigins(data.PUBLIC_URL, isDevelopment),
      productName: data.PRODUCT_NAME,
      mailFrom: data.MAIL_FROM,
      supportUrl: data.SUPPORT_CONTACT,
      securityContact: data.SECURITY_CONTACT,
      audience: data.AUDIENCE,
      bootstrapAdminEmail: data.BOOTSTRAP_ADMIN_EMAIL,
      passwordMinLength: data.PASSWORD_MIN_LENGTH,
      resendBaseUrl: data.RESEND_BASE_URL,
      turnstileUrl: data.TURNSTILE_URL,
      corsOrigins: data.CORS_ORIGINS,
      limitsRates: data.RATE_LIMITS,
      readsReplicas: data.READ_REPLICAS,
      auditDays: data.AUDIT_DAYS,
      auditArchiveDays: data.AUDIT_ARCHIVE_DAYS,
      ceilingFactor: data.CEILING_FACTOR,
      pwnedPasswordsUrl: data.PWNED_PASSWORDS_URL,
      requiresBreachCheck: data.PWNED_PASSWORDS_REQUIRED,
      secondFactor: data.SECOND_FACTOR,
      rpId: data.WEBAUTHN_RP_ID ?? new URL(data.PUBLIC_URL).hostname,
    },
    secrets: {
      signingKeys: data.SIGNING_KEYS,
      tokenKeys: data.TOKEN_KEYS,
      peppers: data.PASSWORD_PEPPER,
      dataKeys: data.DATA_KEYS,
      resendApiKey: data.RESEND_API_KEY,
      turnstileSecret: data.TURNSTILE_SECRET,
      resendWebhookKey: data.RESEND_WEBHOOK_SECRET,
    },
  }
}
