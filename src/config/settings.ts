import {
  type KeyRing,
  KeyError,
  type SecretKey,
  type SigningKey,
  parseSecretKeys,
  parseSigningKeys,
} from '../crypto/keys.ts'
import { flag, isMailbox, minLength, onOrOff, origin, origins, secureUrl, variableText } from './values.ts'
import { importWebhookKey } from '../crypto/webhook-signature.ts'
import { normalizeEmailAddress } from '../email-address.ts'
import { rateLimits } from './rate-limits.ts'

/** What may be seen: in logs, mails and answers. */
export interface Config {
  isDevelopment: boolean
  /** An origin without a trailing slash: the issuer of tokens and the start of every link. */
  publicUrl: string
  productName: string
  mailFrom: string
  audience: string
  bootstrapAdminEmail: string | null
  passwordMinLength: number
  resendBaseUrl: string
  turnstileUrl: string
  /** The origins whose pages may read answers, as browsers spell them. */
  corsOrigins: readonly string[]
  /** Whether client addresses are counted; always, but on a developer's machine. */
  limitsRates: boolean
  /** The origin of a Pwned Passwords service; null when passwords are not looked up. */
  pwnedPasswordsUrl: string | null
  /** Whether a password is refused when the service does not answer. */
  requiresBreachCheck: boolean
}

/** What may not: a type of its own, so that it is never logged along with the rest. */
export interface Secrets {
  signingKeys: KeyRing<SigningKey>
  tokenKeys: KeyRing<SecretKey>
  peppers: KeyRing<SecretKey>
  resendApiKey: string
  /** `null`: nobody has to solve a challenge. */
  turnstileSecret: string | null
  /** Without it nobody can tell us what became of a mail. */
  resendWebhookKey: CryptoKey | null
}

export interface Settings {
  config: Config
  secrets: Secrets
}

/** Everything that is wrong with the variables, secrets and bindings, in words for the operator. Holds no value of theirs. */
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
 * Reads and checks the environment, once for each one.
 *
 * @throws {ConfigError} naming every problem at once: half a configuration must not serve.
 */
export function readSettings(env: Env): Promise<Settings> {
  let settings = settingsOf.get(env)
  if (!settings) {
    settings = interpret(env)
    settingsOf.set(env, settings)
  }
  return settings
}

const limiters = Object.values(rateLimits).map(({ binding }) => binding)
const bindings = ['DB', 'REVOCATIONS', 'MAIL_QUEUE', ...limiters] as const

async function interpret(env: Env): Promise<Settings> {
  const problems: string[] = []
  for (const name of bindings) if (!env[name]) problems.push(`the binding ${name} is missing`)

  const textOf = (name: keyof Env) => variableText(env[name])
  function read<T>(name: keyof Env, parse: (text: string) => T): T | undefined {
    const text = typeof env[name] === 'string' ? textOf(name) : ''
    if (text !== '') return parse(text)
    problems.push(`${name} is not set`)
    return undefined
  }
  function check<T>(name: keyof Env, value: T | undefined, rule: string): T | undefined {
    if (value === undefined) problems.push(`${name} ${rule}`)
    return value
  }
  function readKeys<T>(name: keyof Env, parse: (text: string) => T): T | undefined {
    return read(name, (text) => {
      try {
        return parse(text)
      } catch (error) {
        problems.push(`${name} ${keyProblem(error)}`)
        return undefined
      }
    })
  }

  const isDevelopment = textOf('ENVIRONMENT') === 'development'
  const publicUrl = read('PUBLIC_URL', (text) =>
    check('PUBLIC_URL', origin(text, isDevelopment), 'must be an https origin, such as https://accounts.example.com'),
  )
  const resendBaseUrl = read('RESEND_BASE_URL', (text) =>
    check('RESEND_BASE_URL', origin(text, isDevelopment), 'must be an https origin'),
  )
  const turnstileUrl = read('TURNSTILE_URL', (text) =>
    check('TURNSTILE_URL', secureUrl(text, isDevelopment), 'must be an https URL'),
  )
  const pwnedPasswordsText = textOf('PWNED_PASSWORDS_URL')
  const pwnedPasswordsUrl = pwnedPasswordsText ? origin(pwnedPasswordsText, isDevelopment) : null
  check('PWNED_PASSWORDS_URL', pwnedPasswordsUrl, 'must be an https origin, or empty for no breach check')
  const requiresBreachCheck = check(
    'PWNED_PASSWORDS_REQUIRED',
    flag(textOf('PWNED_PASSWORDS_REQUIRED')),
    'must be "true" or "false"',
  )
  if (requiresBreachCheck && pwnedPasswordsUrl === null) {
    problems.push('PWNED_PASSWORDS_REQUIRED is "true" without a PWNED_PASSWORDS_URL')
  }
  const mailFrom = read('MAIL_FROM', (text) =>
    check('MAIL_FROM', isMailbox(text) ? text : undefined, 'must be an address, or "Name <address>"'),
  )
  const bootstrapText = textOf('BOOTSTRAP_ADMIN_EMAIL')
  const bootstrap = bootstrapText ? normalizeEmailAddress(bootstrapText) : null
  check('BOOTSTRAP_ADMIN_EMAIL', bootstrap, 'must be an e-mail address or empty')
  const passwordMinLength = check(
    'PASSWORD_MIN_LENGTH',
    minLength(textOf('PASSWORD_MIN_LENGTH')),
    'must be a whole number from 8 to 64',
  )
  const corsOrigins = check(
    'CORS_ORIGINS',
    origins(textOf('CORS_ORIGINS'), isDevelopment),
    'must be https origins such as https://app.example.com, with commas between them, or empty',
  )
  const limitsRates = check(
    'RATE_LIMITS',
    onOrOff(textOf('RATE_LIMITS'), isDevelopment),
    'must be "on"; only in development it may be "off"',
  )
  const tokenKeys = readKeys('TOKEN_KEYS', parseSecretKeys)
  const peppers = readKeys('PASSWORD_PEPPER', parseSecretKeys)
  const signingKeys = await readKeys('SIGNING_KEYS', parseSigningKeys)?.catch((error: unknown) => {
    problems.push(`SIGNING_KEYS ${keyProblem(error)}`)
    return undefined
  })
  const resendApiKey = read('RESEND_API_KEY', (text) => text)
  const webhookSecret = textOf('RESEND_WEBHOOK_SECRET')
  const resendWebhookKey = webhookSecret ? await importWebhookKey(webhookSecret) : null
  if (resendWebhookKey === undefined) {
    problems.push('RESEND_WEBHOOK_SECRET must be a signing secret of Resend, whsec_ and base64, or not be set')
  }
  const audience = read('AUDIENCE', (text) => text)
  const productName = read('PRODUCT_NAME', (text) => text)

  if (audience !== undefined && audience === publicUrl) {
    // The audience of refresh tokens and links is the issuer: the two must never meet.
    problems.push('AUDIENCE must not be the same as PUBLIC_URL')
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return {
    config: {
      isDevelopment,
      publicUrl: publicUrl!,
      productName: productName!,
      mailFrom: mailFrom!,
      audience: audience!,
      bootstrapAdminEmail: bootstrap!,
      passwordMinLength: passwordMinLength!,
      resendBaseUrl: resendBaseUrl!,
      turnstileUrl: turnstileUrl!,
      corsOrigins: corsOrigins!,
      limitsRates: limitsRates!,
      pwnedPasswordsUrl: pwnedPasswordsUrl!,
      requiresBreachCheck: requiresBreachCheck!,
    },
    secrets: {
      signingKeys: signingKeys!,
      tokenKeys: tokenKeys!,
      peppers: peppers!,
      resendApiKey: resendApiKey!,
      turnstileSecret: textOf('TURNSTILE_SECRET') || null,
      resendWebhookKey: resendWebhookKey ?? null,
    },
  }
}

function keyProblem(error: unknown): string {
  return error instanceof KeyError ? error.message : 'cannot be read'
}
