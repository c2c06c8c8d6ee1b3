import { env as bindings } from 'cloudflare:workers'
import { afterEach, describe, expect, vi } from 'vitest'
import { ConfigError, readSettings } from '../src/config/settings.ts'
import { expectProblem } from './support/answers.ts'
import type { OperationId } from './support/api.ts'
import { it } from './support/fixtures.ts'
import { captureLog } from './support/log-lines.ts'
import { consume } from './support/mail-consumer.ts'
import type { Answer } from './support/service.ts'
import { testSecrets } from './support/test-secrets.ts'

/** The environment of the tests with changes. `undefined` removes a variable. */
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
  it('is read into typed settings and secrets', async () => {
    const { config, secrets } = await readSettings(changed({}))
    expect(config).toEqual({
      isDevelopment: true,
      isUnderMaintenance: false,
      publicUrl: 'https://accounts.example.com',
      ownOrigins: ['https://accounts.example.com'],
      productName: 'Postern',
      mailFrom: 'Postern <accounts@example.com>',
      supportUrl: null,
      securityContact: 'mailto:security@example.com',
      audience: 'postern',
      bootstrapAdminEmail: 'admin@example.com',
      passwordMinLength: 8,
      resendBaseUrl: 'https://resend.test',
      turnstileUrl: 'https://challenges.cloudflare.com/turnstile/v0/siteverify',
      corsOrigins: [],
      limitsRates: false,
      readsReplicas: false,
      auditDays: 400,
      auditArchiveDays: 400,
      ceilingFactor: 1,
      pwnedPasswordsUrl: null,
      requiresBreachCheck: false,
      secondFactor: 'optional',
      rpId: 'accounts.example.com',
    })
    expect(secrets.signingKeys.map(({ kid }) => kid)).toEqual(['test-signing'])
    expect(secrets.tokenKeys.map(({ kid }) => kid)).toEqual(['test-token'])
    expect(secrets.peppers.map(({ kid }) => kid)).toEqual(['test-pepper'])
    expect(secrets.dataKeys.map(({ kid }) => kid)).toEqual(['test-data'])
    expect(secrets.resendApiKey).toBe('re_test')
  })

  it.each([
    {
      name: 'PUBLIC_URL',
      value: ' https://accounts.example.com ',
      expected: { publicUrl: 'https://accounts.example.com' },
    },
    {
      name: 'PUBLIC_URL',
      value: 'https://accounts.example.com/',
      expected: { publicUrl: 'https://accounts.example.com' },
    },
    {
      name: 'PUBLIC_URL',
      value: 'HTTPS://Accounts.Example.COM:443',
      expected: { publicUrl: 'https://accounts.example.com' },
    },
    {
      name: 'PUBLIC_URL',
      value: 'https://accounts.example.com:8443/',
      expected: { publicUrl: 'https://accounts.example.com:8443' },
    },
    {
      name: 'RESEND_BASE_URL',
      value: 'https://api.resend.com/',
      expected: { resendBaseUrl: 'https://api.resend.com' },
    },
    { name: 'BOOTSTRAP_ADMIN_EMAIL', value: undefined, expected: { bootstrapAdminEmail: null } },
    { name: 'BOOTSTRAP_ADMIN_EMAIL', value: '', expected: { bootstrapAdminEmail: null } },
    {
      name: 'BOOTSTRAP_ADMIN_EMAIL',
      value: ' Root@Bücher.example ',
      expected: { bootstrapAdminEmail: 'root@xn--bcher-kva.example' },
    },
    { name: 'PASSWORD_MIN_LENGTH', value: undefined, expected: { passwordMinLength: 8 } },
    { name: 'PASSWORD_MIN_LENGTH', value: ' ', expected: { passwordMinLength: 8 } },
    { name: 'PASSWORD_MIN_LENGTH', value: '64', expected: { passwordMinLength: 64 } },
    { name: 'PASSWORD_MIN_LENGTH', value: 12, expected: { passwordMinLength: 12 } },
    { name: 'READ_REPLICAS', value: undefined, expected: { readsReplicas: false } },
    { name: 'READ_REPLICAS', value: 'true', expected: { readsReplicas: true } },
    { name: 'AUDIT_DAYS', value: '', expected: { auditDays: 400, auditArchiveDays: 400 } },
    { name: 'AUDIT_DAYS', value: 3650, expected: { auditDays: 3650 } },
    { name: 'AUDIT_DAYS', value: '30', expected: { auditDays: 30 } },
    { name: 'AUDIT_ARCHIVE', value: {}, expected: { auditDays: 90, auditArchiveDays: 400 } },
    { name: 'AUDIT_ARCHIVE_DAYS', value: '31', expected: { auditArchiveDays: 31 } },
    { name: 'CEILING_FACTOR', value: undefined, expected: { ceilingFactor: 1 } },
    { name: 'CEILING_FACTOR', value: 1000, expected: { ceilingFactor: 1000 } },
    { name: 'MAIL_FROM', value: 'accounts@example.com', expected: { mailFrom: 'accounts@example.com' } },
    { name: 'SUPPORT_CONTACT', value: undefined, expected: { supportUrl: null } },
    { name: 'SUPPORT_CONTACT', value: ' ', expected: { supportUrl: null } },
    { name: 'SUPPORT_CONTACT', value: 'Help@Example.com', expected: { supportUrl: 'mailto:help@example.com' } },
    {
      name: 'SUPPORT_CONTACT',
      value: 'https://help.example.com/contact?from=mail',
      expected: { supportUrl: 'https://help.example.com/contact?from=mail' },
    },
    { name: 'SECOND_FACTOR', value: undefined, expected: { secondFactor: null } },
    { name: 'SECOND_FACTOR', value: '', expected: { secondFactor: null } },
    { name: 'SECOND_FACTOR', value: 'staff', expected: { secondFactor: 'staff' } },
    { name: 'SECOND_FACTOR', value: ' all ', expected: { secondFactor: 'all' } },
    { name: 'WEBAUTHN_RP_ID', value: '', expected: { rpId: 'accounts.example.com' } },
    { name: 'WEBAUTHN_RP_ID', value: 'accounts.example.com', expected: { rpId: 'accounts.example.com' } },
    { name: 'WEBAUTHN_RP_ID', value: 'example.com', expected: { rpId: 'example.com' } },
    { name: 'PUBLIC_URL', value: 'http://localhost:8787', expected: { rpId: 'localhost' } },
    { name: 'PUBLIC_URL', value: 'https://accounts.example.com:8443', expected: { rpId: 'accounts.example.com' } },
    { name: 'SECURITY_CONTACT', value: '', expected: { securityContact: null } },
    {
      name: 'SECURITY_CONTACT',
      value: 'https://example.com/report',
      expected: { securityContact: 'https://example.com/report' },
    },
    { name: 'AUDIENCE', value: ' https://api.example.com ', expected: { audience: 'https://api.example.com' } },
    { name: 'ENVIRONMENT', value: undefined, expected: { isDevelopment: false } },
    { name: 'ENVIRONMENT', value: 'Development', expected: { isDevelopment: false } },
  ])('accepts $name = $value', async ({ name, value, expected }) => {
    expect(await configOf({ RATE_LIMITS: 'on', [name]: value })).toMatchObject(expected)
  })

  it.each([
    { name: 'PWNED_PASSWORDS_REQUIRED', value: false, expected: { requiresBreachCheck: false } },
    {
      name: 'CORS_ORIGINS',
      value: ['https://a.example.com', 'https://b.example.com'],
      expected: { corsOrigins: ['https://a.example.com', 'https://b.example.com'] },
    },
  ])('accepts the TOML value $value for $name', async ({ name, value, expected }) => {
    expect(await configOf({ [name]: value })).toMatchObject(expected)
  })

  it.each([
    { url: 'http://localhost:8787', own: ['http://localhost:8787', 'http://127.0.0.1:8787'] },
    { url: 'http://127.0.0.1:8787', own: ['http://127.0.0.1:8787', 'http://localhost:8787'] },
    { url: 'https://localhost', own: ['https://localhost', 'https://127.0.0.1'] },
    { url: 'http://localhost.evil.example', own: ['http://localhost.evil.example'] },
    { url: 'https://accounts.example.com', own: ['https://accounts.example.com'] },
  ])('counts the pages of both names of this machine as its own in development, for $url', async ({ url, own }) => {
    expect((await configOf({ PUBLIC_URL: url })).ownOrigins).toEqual(own)
  })

  it('counts the pages of one address as its own in production', async () => {
    const local = { ...production, PUBLIC_URL: 'https://localhost' }
    expect((await configOf({ ...local, RESEND_BASE_URL: 'https://resend.test' })).ownOrigins).toEqual([
      'https://localhost',
    ])
  })

  it('may use http in development only', async () => {
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

describe('the report of an invalid configuration', () => {
  it('wants the archive to keep events longer than the database, where there is an archive', async () => {
    const days = { AUDIT_DAYS: '90', AUDIT_ARCHIVE_DAYS: '90' }
    expect(await configOf(days)).toMatchObject({ auditDays: 90 })
    expect(await problemsOf({ ...days, AUDIT_ARCHIVE: {} })).toEqual([
      'AUDIT_ARCHIVE_DAYS must be more than AUDIT_DAYS',
    ])
  })

  it.each(['DB', 'REVOCATIONS', 'MAIL_QUEUE'])('names the missing binding %s', async (name) => {
    expect(await problemsOf({ [name]: undefined })).toEqual([`the binding ${name} is missing`])
  })

  const needed = [
    'PUBLIC_URL',
    'RESEND_BASE_URL',
    'MAIL_FROM',
    'TOKEN_KEYS',
    'PASSWORD_PEPPER',
    'DATA_KEYS',
    'SIGNING_KEYS',
    'RESEND_API_KEY',
    'AUDIENCE',
    'PRODUCT_NAME',
  ]
  it.each(needed)('names %s when it is not set', async (name) => {
    for (const value of [undefined, null, '', '  ', 7, {}]) {
      expect(await problemsOf({ [name]: value }), JSON.stringify(value)).toEqual([`${name} is not set`])
    }
  })

  it('names everything at once', async () => {
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
  ])('names an invalid origin: %s', async (value) => {
    expect(await problemsOf({ PUBLIC_URL: value })).toEqual([
      'PUBLIC_URL must be an https origin, such as https://accounts.example.com',
    ])
    expect(await problemsOf({ RESEND_BASE_URL: value })).toEqual(['RESEND_BASE_URL must be an https origin'])
  })

  it.each([
    ...[
      'help',
      'http://help.example.com',
      'javascript:alert(1)',
      'mailto:help@example.com',
      'a@b',
      'x y@example.com',
    ].map((value) => ({
      name: 'SUPPORT_CONTACT',
      value,
      problem: 'must be an e-mail address, an https URL, or empty',
    })),
    { name: 'MAIL_FROM', value: 'Postern', problem: 'must be an address, or "Name <address>"' },
    { name: 'MAIL_FROM', value: 'Postern <accounts>', problem: 'must be an address, or "Name <address>"' },
    { name: 'MAIL_FROM', value: 'a@example.com, b@example.com', problem: 'must be an address, or "Name <address>"' },
    {
      name: 'MAIL_FROM',
      value: 'Postern <a@example.com> <b@example.com>',
      problem: 'must be an address, or "Name <address>"',
    },
    {
      name: 'MAIL_FROM',
      value: 'Postern\r\nBcc: b@example.com <a@example.com>',
      problem: 'must be an address, or "Name <address>"',
    },
    { name: 'BOOTSTRAP_ADMIN_EMAIL', value: 'admin', problem: 'must be an e-mail address or empty' },
    {
      name: 'BOOTSTRAP_ADMIN_EMAIL',
      value: 'a@example.com,b@example.com',
      problem: 'must be an e-mail address or empty',
    },
    { name: 'BOOTSTRAP_ADMIN_EMAIL', value: 7, problem: 'must be an e-mail address or empty' },
    { name: 'PASSWORD_MIN_LENGTH', value: '7', problem: 'must be a whole number from 8 to 64' },
    { name: 'READ_REPLICAS', value: 'on', problem: 'must be "true" or "false"' },
    { name: 'AUDIT_DAYS', value: '29', problem: 'must be a whole number from 30 to 3650, or empty' },
    { name: 'AUDIT_DAYS', value: 'a year', problem: 'must be a whole number from 30 to 3650, or empty' },
    { name: 'AUDIT_ARCHIVE_DAYS', value: '3651', problem: 'must be a whole number from 30 to 3650, or empty' },
    { name: 'PASSWORD_MIN_LENGTH', value: '65', problem: 'must be a whole number from 8 to 64' },
    { name: 'PASSWORD_MIN_LENGTH', value: '8.5', problem: 'must be a whole number from 8 to 64' },
    { name: 'PASSWORD_MIN_LENGTH', value: 'eight', problem: 'must be a whole number from 8 to 64' },
    { name: 'PASSWORD_MIN_LENGTH', value: '-8', problem: 'must be a whole number from 8 to 64' },
    { name: 'PASSWORD_MIN_LENGTH', value: 7, problem: 'must be a whole number from 8 to 64' },
    { name: 'PASSWORD_MIN_LENGTH', value: {}, problem: 'must be a whole number from 8 to 64' },
    { name: 'TOKEN_KEYS', value: '{', problem: 'is not JSON' },
    { name: 'TOKEN_KEYS', value: 'a-long-random-text-that-is-no-key-set', problem: 'is not JSON' },
    { name: 'TOKEN_KEYS', value: '{"keys":[]}', problem: 'holds no key' },
    { name: 'TOKEN_KEYS', value: testSecrets.SIGNING_KEYS, problem: 'holds a key that is not of type "oct"' },
    {
      name: 'PASSWORD_PEPPER',
      value: jwks({ kty: 'oct', kid: 'p', k: 'c2hvcnQ' }),
      problem: 'key "p" is shorter than 32 bytes',
    },
    {
      name: 'DATA_KEYS',
      value: jwks({ kty: 'oct', kid: 'd', k: 'c2hvcnQ' }),
      problem: 'key "d" is shorter than 32 bytes',
    },
    { name: 'SECURITY_CONTACT', value: 'tel:1', problem: 'must be an e-mail address, an https URL, or empty' },
    { name: 'SECOND_FACTOR', value: 'Staff', problem: 'must be "optional", "staff" or "all"' },
    { name: 'SECOND_FACTOR', value: true, problem: 'must be "optional", "staff" or "all"' },
    { name: 'SIGNING_KEYS', value: '[]', problem: 'is not a JWK Set ({"keys":[…]})' },
    {
      name: 'SIGNING_KEYS',
      value: testSecrets.TOKEN_KEYS,
      problem: 'key "test-token" is neither a private Ed25519 nor a private P-256 key',
    },
  ])('names $name = $value', async ({ name, value, problem }) => {
    expect(await problemsOf({ [name]: value })).toEqual([`${name} ${problem}`])
  })

  it('names an audience that is the issuer, in any spelling', async () => {
    for (const PUBLIC_URL of ['https://a.example', 'https://a.example/', 'HTTPS://A.example:443']) {
      expect(await problemsOf({ PUBLIC_URL, AUDIENCE: 'https://a.example' })).toEqual([
        'AUDIENCE must not be the same as PUBLIC_URL',
      ])
    }
  })

  const notAHost = 'must be a host, such as example.com, or empty'
  const notOurs = 'must be the host of PUBLIC_URL or a parent domain of it with a dot, because browsers refuse others'
  it.each([
    ...[
      'https://example.com',
      'example.com:443',
      'example.com/',
      'Example.com',
      '*.example.com ex',
      'a@example.com',
    ].map((value) => ({ value, problem: notAHost })),
    ...['com', 'ample.com', 'xaccounts.example.com', 'www.accounts.example.com', 'example.org'].map((value) => ({
      value,
      problem: notOurs,
    })),
  ])('names an RP ID that browsers would refuse: $value', async ({ value, problem }) => {
    expect(await problemsOf({ WEBAUTHN_RP_ID: value })).toEqual([`WEBAUTHN_RP_ID ${problem}`])
  })

  it('says nothing about an RP ID when PUBLIC_URL is the problem', async () => {
    expect(await problemsOf({ WEBAUTHN_RP_ID: 'example.com', PUBLIC_URL: 'example.com' })).toEqual([
      'PUBLIC_URL must be an https origin, such as https://accounts.example.com',
    ])
  })

  it.each([
    { name: 'PWNED_PASSWORDS_REQUIRED', value: true },
    { name: 'PWNED_PASSWORDS_REQUIRED', value: 7 },
    { name: 'PWNED_PASSWORDS_URL', value: true },
    { name: 'CORS_ORIGINS', value: [7] },
    { name: 'CORS_ORIGINS', value: { a: 'https://a.example.com' } },
    { name: 'RATE_LIMITS', value: true },
    { name: 'PUBLIC_URL', value: 7 },
    { name: 'SIGNING_KEYS', value: { keys: [] } },
  ])('names $name = $value, which is no text, and throws nothing else', async ({ name, value }) => {
    expect(await problemsOf({ [name]: value })).toEqual([expect.stringContaining(name)])
  })

  it.each([
    { key: '', problems: ['TURNSTILE_SITE_KEY is not set, though there is a TURNSTILE_SECRET: the pages need both'] },
    { key: '0x4 AAA', problems: ['TURNSTILE_SITE_KEY must be a site key as Cloudflare shows it, or empty'] },
    { key: "0x4'", problems: ['TURNSTILE_SITE_KEY must be a site key as Cloudflare shows it, or empty'] },
  ])('names the site key "$key" of a deployment with a secret for Turnstile', async ({ key, problems }) => {
    expect(await problemsOf({ TURNSTILE_SECRET: '0x4AAA-secret', TURNSTILE_SITE_KEY: key })).toEqual(problems)
  })

  it('accepts a site key without a secret, since one of the two has to be first', async () => {
    expect(await configOf({ TURNSTILE_SITE_KEY: '0x4AAA-site_key' })).toMatchObject({ limitsRates: false })
  })

  it('names a flag that breaks its own rule once, whatever depends on it', async () => {
    const problems = await problemsOf({ PWNED_PASSWORDS_REQUIRED: 'yes', PWNED_PASSWORDS_URL: '' })
    expect(problems).toEqual(['PWNED_PASSWORDS_REQUIRED must be "true" or "false"'])
  })

  it('quotes no value', async () => {
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

describe('a service with an incomplete configuration', () => {
  const broken = { RESEND_API_KEY: '', TOKEN_KEYS: jwks({ kty: 'oct', kid: 't', k: canary }) }
  const problems = ['TOKEN_KEYS key "t" is shorter than 32 bytes', 'RESEND_API_KEY is not set']

  describe('in its secrets', () => {
    it.override('options', { env: broken })

    it('answers that it is alive and not ready, and nothing else', async ({ anonymous }) => {
      const { entries, lines } = captureLog()
      await anonymous.call('getHealth')
      const ready = await anonymous.call('getReadiness').answer
      expect([ready.status, ready.json]).toEqual([
        503,
        { status: 'unavailable', checks: { config: 'unavailable', d1: 'ok', kv: 'ok' } },
      ])
      const operations: OperationId[] = ['register', 'login', 'verify', 'getMe', 'getKeys']
      for (const operation of operations) {
        const input = operation === 'register' || operation === 'login' ? { body: {} } : {}
        const answer: Answer = await anonymous.call(operation, input).answer
        expectProblem(answer, 503, 'service_unavailable')
        expect(answer.headers.get('Retry-After')).toBe('5')
        expect(answer.text).not.toMatch(/TOKEN_KEYS|RESEND|config/)
      }
      expect(entries('config.invalid')).toHaveLength(5)
      for (const entry of entries('config.invalid')) expect(entry).toMatchObject({ level: 'error', problems })
      expect(entries('readiness.failed')).toMatchObject([{ check: 'config', problems }])
      expect(lines.join('\n')).not.toContain(canary)
    })

    it('delivers no email and runs no job, logs why, and retries the emails later', async ({ service }) => {
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

  describe('in its bindings', () => {
    it.override('options', { env: { DB: undefined as unknown as D1Database } })

    it('names the missing binding instead of failing on it', async ({ anonymous }) => {
      const { entries } = captureLog()
      await anonymous.call('getHealth')
      expect((await anonymous.call('getReadiness').answer).json).toMatchObject({
        checks: { config: 'unavailable', d1: 'unavailable', kv: 'ok' },
      })
      await anonymous.me().refused(503, 'service_unavailable')
      expect(entries('config.invalid')).toMatchObject([{ problems: ['the binding DB is missing'] }])
    })
  })
})
