import { env as bindings } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConfigError, readSettings } from '../src/config/settings.ts'
import { captureLog } from './support/log-lines.ts'
import { consume } from './support/mail-consumer.ts'
import { startService } from './support/service.ts'
import { testSecrets } from './support/test-secrets.ts'

/** The environment of the tests, changed; `undefined` takes something away. */
const changed = (changes: Record<string, unknown>) => ({ ...bindings, ...changes }) as Env

async function problemsOf(changes: Record<string, unknown>): Promise<readonly string[]> {
  const error = await readSettings(changed(changes)).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return (error as ConfigError).problems
}

const configOf = async (changes: Record<string, unknown>) => (await readSettings(changed(changes))).config

const production = { ENVIRONMENT: 'production', RATE_LIMITS: 'on' }
const canary = 'canary7Q'
const jwks = (...keys: unknown[]) => JSON.stringify({ keys })

afterEach(() => void vi.restoreAllMocks())

describe('a configuration', () => {
  it('is read as it is meant', async () => {
    const { config, secrets } = await readSettings(changed({}))
    expect(config).toEqual({
      isDevelopment: true,
      publicUrl: 'https://accounts.example.com',
      productName: 'Postern',
      mailFrom: 'Postern <accounts@example.com>',
      audience: 'postern',
      bootstrapAdminEmail: 'admin@example.com',
      passwordMinLength: 8,
      resendBaseUrl: 'https://resend.test',
      turnstileUrl: 'https://challenges.cloudflare.com/turnstile/v0/siteverify',
      corsOrigins: [],
      limitsRates: false,
      pwnedPasswordsUrl: null,
      requiresBreachCheck: false,
    })
    expect(secrets.signingKeys.map(({ kid }) => kid)).toEqual(['test-signing'])
    expect(secrets.tokenKeys.map(({ kid }) => kid)).toEqual(['test-token'])
    expect(secrets.peppers.map(({ kid }) => kid)).toEqual(['test-pepper'])
    expect(secrets.resendApiKey).toBe('re_test')
  })

  it.each([
    ['PUBLIC_URL', ' https://accounts.example.com ', { publicUrl: 'https://accounts.example.com' }],
    ['PUBLIC_URL', 'https://accounts.example.com/', { publicUrl: 'https://accounts.example.com' }],
    ['PUBLIC_URL', 'HTTPS://Accounts.Example.COM:443', { publicUrl: 'https://accounts.example.com' }],
    ['PUBLIC_URL', 'https://accounts.example.com:8443/', { publicUrl: 'https://accounts.example.com:8443' }],
    ['RESEND_BASE_URL', 'https://api.resend.com/', { resendBaseUrl: 'https://api.resend.com' }],
    ['BOOTSTRAP_ADMIN_EMAIL', undefined, { bootstrapAdminEmail: null }],
    ['BOOTSTRAP_ADMIN_EMAIL', '', { bootstrapAdminEmail: null }],
    ['BOOTSTRAP_ADMIN_EMAIL', ' Root@Bücher.example ', { bootstrapAdminEmail: 'root@xn--bcher-kva.example' }],
    ['PASSWORD_MIN_LENGTH', undefined, { passwordMinLength: 8 }],
    ['PASSWORD_MIN_LENGTH', ' ', { passwordMinLength: 8 }],
    ['PASSWORD_MIN_LENGTH', '64', { passwordMinLength: 64 }],
    ['PASSWORD_MIN_LENGTH', 12, { passwordMinLength: 12 }],
    ['MAIL_FROM', 'accounts@example.com', { mailFrom: 'accounts@example.com' }],
    ['AUDIENCE', ' https://api.example.com ', { audience: 'https://api.example.com' }],
    ['ENVIRONMENT', undefined, { isDevelopment: false }],
    ['ENVIRONMENT', 'Development', { isDevelopment: false }],
  ])('takes %s = %j', async (name, value, expected) => {
    expect(await configOf({ RATE_LIMITS: 'on', [name]: value })).toMatchObject(expected)
  })

  it.each([
    ['PWNED_PASSWORDS_REQUIRED', false, { requiresBreachCheck: false }],
    [
      'CORS_ORIGINS',
      ['https://a.example.com', 'https://b.example.com'],
      { corsOrigins: ['https://a.example.com', 'https://b.example.com'] },
    ],
  ])('takes %s as TOML has it: %j', async (name, value, expected) => {
    expect(await configOf({ [name]: value })).toMatchObject(expected)
  })

  it('may be without https in development, and only there', async () => {
    const local = { PUBLIC_URL: 'http://127.0.0.1:8787', RESEND_BASE_URL: 'http://127.0.0.1:8788' }
    expect(await configOf(local)).toMatchObject({
      publicUrl: 'http://127.0.0.1:8787',
      resendBaseUrl: 'http://127.0.0.1:8788',
    })
    for (const ENVIRONMENT of ['production', '', undefined, 'staging']) {
      expect(await problemsOf({ ...local, RATE_LIMITS: 'on', ENVIRONMENT })).toEqual([
        'PUBLIC_URL must be an https origin, such as https://accounts.example.com',
        'RESEND_BASE_URL must be an https origin',
      ])
    }
  })
})

describe('what is wrong is named', () => {
  it.each(['DB', 'REVOCATIONS', 'MAIL_QUEUE'])('the binding %s, missing', async (name) => {
    expect(await problemsOf({ [name]: undefined })).toEqual([`the binding ${name} is missing`])
  })

  const needed = [
    'PUBLIC_URL',
    'RESEND_BASE_URL',
    'MAIL_FROM',
    'TOKEN_KEYS',
    'PASSWORD_PEPPER',
    'SIGNING_KEYS',
    'RESEND_API_KEY',
    'AUDIENCE',
    'PRODUCT_NAME',
  ]
  it.each(needed)('%s, not set', async (name) => {
    for (const value of [undefined, null, '', '  ', 7, {}]) {
      expect(await problemsOf({ [name]: value }), JSON.stringify(value)).toEqual([`${name} is not set`])
    }
  })

  it('all of it at once', async () => {
    const nothing = Object.fromEntries(Object.keys(bindings).map((name) => [name, undefined]))
    const problems = await problemsOf(nothing)
    expect(problems).toEqual(
      expect.arrayContaining([
        'the binding DB is missing',
        'the binding REVOCATIONS is missing',
        'the binding MAIL_QUEUE is missing',
        ...needed.map((name) => `${name} is not set`),
      ]),
    )
    await expect(readSettings(changed(nothing))).rejects.toThrow(problems.join('; '))
  })

  it.each([
    'accounts.example.com',
    '//accounts.example.com',
    'https://accounts.example.com/auth',
    'https://accounts.example.com/?a=b',
    'https://accounts.example.com/#a',
    'https://user@accounts.example.com',
    'https://user:secret@accounts.example.com',
    'ftp://accounts.example.com',
    'javascript:alert(1)',
    'https://',
    'https://a b',
  ])('an origin that is none: %s', async (value) => {
    expect(await problemsOf({ PUBLIC_URL: value })).toEqual([
      'PUBLIC_URL must be an https origin, such as https://accounts.example.com',
    ])
    expect(await problemsOf({ RESEND_BASE_URL: value })).toEqual(['RESEND_BASE_URL must be an https origin'])
  })

  it.each([
    ['MAIL_FROM', 'Postern', 'must be an address, or "Name <address>"'],
    ['MAIL_FROM', 'Postern <accounts>', 'must be an address, or "Name <address>"'],
    ['MAIL_FROM', 'a@example.com, b@example.com', 'must be an address, or "Name <address>"'],
    ['MAIL_FROM', 'Postern <a@example.com> <b@example.com>', 'must be an address, or "Name <address>"'],
    ['MAIL_FROM', 'Postern\r\nBcc: b@example.com <a@example.com>', 'must be an address, or "Name <address>"'],
    ['BOOTSTRAP_ADMIN_EMAIL', 'admin', 'must be an e-mail address or empty'],
    ['BOOTSTRAP_ADMIN_EMAIL', 'a@example.com,b@example.com', 'must be an e-mail address or empty'],
    ['BOOTSTRAP_ADMIN_EMAIL', 7, 'must be an e-mail address or empty'],
    ['PASSWORD_MIN_LENGTH', '7', 'must be a whole number from 8 to 64'],
    ['PASSWORD_MIN_LENGTH', '65', 'must be a whole number from 8 to 64'],
    ['PASSWORD_MIN_LENGTH', '8.5', 'must be a whole number from 8 to 64'],
    ['PASSWORD_MIN_LENGTH', 'eight', 'must be a whole number from 8 to 64'],
    ['PASSWORD_MIN_LENGTH', '-8', 'must be a whole number from 8 to 64'],
    ['PASSWORD_MIN_LENGTH', 7, 'must be a whole number from 8 to 64'],
    ['PASSWORD_MIN_LENGTH', {}, 'must be a whole number from 8 to 64'],
    ['TOKEN_KEYS', '{', 'is not JSON'],
    ['TOKEN_KEYS', 'a-long-random-text-that-is-no-key-set', 'is not JSON'],
    ['TOKEN_KEYS', '{"keys":[]}', 'holds no key'],
    ['TOKEN_KEYS', testSecrets.SIGNING_KEYS, 'holds a key that is not of type "oct"'],
    ['PASSWORD_PEPPER', jwks({ kty: 'oct', kid: 'p', k: 'c2hvcnQ' }), 'key "p" is shorter than 32 bytes'],
    ['SIGNING_KEYS', '[]', 'is not a JWK Set ({"keys":[…]})'],
    ['SIGNING_KEYS', testSecrets.TOKEN_KEYS, 'key "test-token" is neither a private Ed25519 nor a private P-256 key'],
  ])('%s = %j', async (name, value, problem) => {
    expect(await problemsOf({ [name]: value })).toEqual([`${name} ${problem}`])
  })

  it('an audience that is the issuer, in whatever spelling', async () => {
    for (const PUBLIC_URL of ['https://a.example', 'https://a.example/', 'HTTPS://A.example:443']) {
      expect(await problemsOf({ PUBLIC_URL, AUDIENCE: 'https://a.example' })).toEqual([
        'AUDIENCE must not be the same as PUBLIC_URL',
      ])
    }
  })

  it.each([
    ['PWNED_PASSWORDS_REQUIRED', true],
    ['PWNED_PASSWORDS_REQUIRED', 7],
    ['PWNED_PASSWORDS_URL', true],
    ['CORS_ORIGINS', [7]],
    ['CORS_ORIGINS', { a: 'https://a.example.com' }],
    ['RATE_LIMITS', true],
    ['PUBLIC_URL', 7],
    ['SIGNING_KEYS', { keys: [] }],
  ])('%s = %j, of another kind than text, and not by an exception', async (name, value) => {
    expect(await problemsOf({ [name]: value })).toEqual([expect.stringContaining(name)])
  })

  it('without a word of any value', async () => {
    const problems = await problemsOf({
      ...production,
      PUBLIC_URL: `http://${canary}.example`,
      RESEND_BASE_URL: `https://${canary}@resend.example`,
      MAIL_FROM: canary,
      BOOTSTRAP_ADMIN_EMAIL: canary,
      PASSWORD_MIN_LENGTH: canary,
      TOKEN_KEYS: `{"keys":[{"kty":"oct","kid":"t","k":"${canary}"`,
      PASSWORD_PEPPER: jwks({ kty: 'oct', kid: 'p', k: canary }),
      SIGNING_KEYS: jwks({ kty: 'OKP', crv: 'Ed25519', kid: 's', x: canary, d: canary }),
    })
    expect(problems).toHaveLength(8)
    expect(problems.join(' ').toLowerCase()).not.toContain(canary.toLowerCase())
  })
})

describe('a service with half a configuration', () => {
  const broken = { RESEND_API_KEY: '', TOKEN_KEYS: jwks({ kty: 'oct', kid: 't', k: canary }) }
  const problems = ['TOKEN_KEYS key "t" is shorter than 32 bytes', 'RESEND_API_KEY is not set']

  it('answers that it is alive and not ready, and nothing else', async () => {
    const service = startService({ env: broken })
    const { entries, lines } = captureLog()
    expect((await service.call('GET', '/healthz')).status).toBe(200)
    const ready = await service.call('GET', '/readyz')
    expect([ready.status, ready.json]).toEqual([
      503,
      { status: 'unavailable', checks: { config: 'unavailable', d1: 'ok', kv: 'ok' } },
    ])
    for (const [method, path] of [
      ['POST', '/auth/register'],
      ['POST', '/auth/login'],
      ['GET', '/auth/verify'],
      ['GET', '/users/me'],
      ['GET', '/.well-known/jwks.json'],
    ] as const) {
      const answer = await service.call(method, path, method === 'POST' ? { body: {} } : {})
      expect([answer.status, answer.json.code], path).toEqual([503, 'service_unavailable'])
      expect(answer.headers.get('Retry-After')).toBe('5')
      expect(answer.text).not.toMatch(/TOKEN_KEYS|RESEND|config/)
    }
    expect(entries('config.invalid')).toHaveLength(5)
    for (const entry of entries('config.invalid')) expect(entry).toMatchObject({ level: 'error', problems })
    expect(entries('readiness.failed')).toMatchObject([{ check: 'config', problems }])
    expect(lines.join('\n')).not.toContain(canary)
  })

  it('says which binding is missing instead of falling over it', async () => {
    const service = startService({ env: { DB: undefined as unknown as D1Database } })
    const { entries } = captureLog()
    expect((await service.call('GET', '/healthz')).status).toBe(200)
    expect((await service.call('GET', '/readyz')).json).toMatchObject({
      checks: { config: 'unavailable', d1: 'unavailable', kv: 'ok' },
    })
    expect((await service.call('GET', '/users/me')).status).toBe(503)
    expect(entries('config.invalid')).toMatchObject([{ problems: ['the binding DB is missing'] }])
  })

  it('touches no mail and runs no job, and says why; the mail comes back later', async () => {
    const service = startService({ env: broken })
    const { entries } = captureLog()
    for (const queue of ['postern-mail', 'postern-mail-dead']) {
      expect(await consume(service, [{ id: 'a' }, { id: 'b' }], queue)).toEqual([
        { retryAfter: 300 },
        { retryAfter: 300 },
      ])
    }
    await service.runCron('0 * * * *')
    expect(entries()).toHaveLength(3)
    for (const entry of entries()) expect(entry).toMatchObject({ level: 'error', event: 'config.invalid', problems })
  })
})
