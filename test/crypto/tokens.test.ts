import { base64url } from 'jose'
import { describe, expect, it } from 'vitest'
import { KeyError, parseSecretKeys, parseSigningKeys } from '../../src/crypto/keys.ts'
import {
  type Claims,
  type TokenSettings,
  type TokenType,
  epochSeconds,
  signToken,
  verifyToken,
} from '../../src/crypto/tokens.ts'
import { accessTokenSeconds, deviceTokenSeconds } from '../../src/config/policy.ts'
import { Clock, hour, minute, second } from '../support/clock.ts'
import { signUp } from '../support/people.ts'
import { startService } from '../support/service.ts'

// Keys that are in the open and therefore good for nothing but tests.
const ed25519 = {
  kty: 'OKP',
  crv: 'Ed25519',
  kid: 'ed',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
}
const ed25519b = {
  kty: 'OKP',
  crv: 'Ed25519',
  kid: 'ed-b',
  x: '-lBMNOAgf2Dx9n-ca3LK_9o1Ad-guzNfzWVzvmF3VEc',
  d: 'q9RclPnCmxVm1Dkub7k6Wj65_pQvCImonWWsmUZoDyk',
}
const p256 = {
  kty: 'EC',
  crv: 'P-256',
  kid: 'ec',
  x: 'Yy2jovw1KXUYo-MdIC5s0tceXTe_3JQX9lTpsziHfE4',
  y: '2RfGZ7uKMX3ePHjGLgg1NhfKd4kOEERSU2BA41Vqfyk',
  d: 'jLmDs4iZW1KH5TkVg59bypo42UZGq8hpkF7DH3Um1Mg',
}
const secretA = { kty: 'oct', kid: 'a', k: 'YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE' }
const secretB = { kty: 'oct', kid: 'b', k: 'YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI' }
const jwks = (...keys: unknown[]) => JSON.stringify({ keys })

const issuer = 'https://accounts.example.com'
const audience = 'postern'
const { now } = new Clock()
const iat = epochSeconds(now())

const signing = await parseSigningKeys(jwks(ed25519, p256))
const secrets = parseSecretKeys(jwks(secretA, secretB))
const settings: TokenSettings = {
  issuer,
  audience,
  signingKeys: signing,
  secretKeys: secrets,
  accessTokenSeconds,
  deviceTokenSeconds,
}
const claims = { client_id: 'postern', sub: 'user', sid: 'session', jti: 'token', role: 'USER', scope: 'users:read' }
const internalClaims = {
  'rt+jwt': { sid: 's', gen: 3 },
  'activation+jwt': { jti: 'j' },
  'reset+jwt': { jti: 'j' },
  'device+jwt': { jti: 'j', email_sha256: 'e', password_id: 'p' },
}
const inTenMinutes = new Date(now().getTime() + 10 * minute)
const inAnHour = new Date(now().getTime() + hour)

/** The claims of a token that is accepted. */
async function claimsIn<T extends TokenType>(
  typ: T,
  token: string,
  at = now(),
  by = settings,
): Promise<Claims<T> | undefined> {
  const verified = await verifyToken(by, typ, token, at)
  return verified.kind === 'valid' ? verified.claims : undefined
}

async function refusalOf(typ: TokenType, token: string): Promise<string | undefined> {
  const verified = await verifyToken(settings, typ, token, now())
  return verified.kind === 'refused' ? verified.reason : undefined
}

/** Signs any text at all as a JWS, so that a test says exactly what is in it. */
async function compact(header: unknown, payload: unknown, sign: Signer): Promise<string> {
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  const input = `${base64url.encode(text(header))}.${base64url.encode(text(payload))}`
  return `${input}.${base64url.encode(await sign(new TextEncoder().encode(input)))}`
}

type Signer = (input: Uint8Array) => Promise<Uint8Array>
const octets = (buffer: ArrayBuffer) => new Uint8Array(buffer)
const withEd25519: Signer = async (input) => octets(await crypto.subtle.sign('Ed25519', signing[0].privateKey, input))
const withP256: Signer = async (input) =>
  octets(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, signing[1]!.privateKey, input))
const withHmac =
  (secret: Uint8Array, hash = 'SHA-256'): Signer =>
  async (input) => {
    const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash }, false, ['sign'])
    return octets(await crypto.subtle.sign('HMAC', key, input))
  }
const withSecretA = withHmac(secrets[0].key)
const unsigned: Signer = async () => new Uint8Array()

describe('a key set', () => {
  const rsa = { kty: 'RSA', kid: 'rsa', n: 'canarycanarycanary', e: 'AQAB', d: 'canarycanarycanary' }
  const canary = 'Y2FuYXJ5Y2FuYXJ5'

  it.each([
    ['no JSON', `{"keys":[${canary}`, 'is not JSON'],
    ['null', 'null', 'is not a JWK Set ({"keys":[…]})'],
    ['text', '"keys"', 'is not a JWK Set ({"keys":[…]})'],
    ['a number', '7', 'is not a JWK Set ({"keys":[…]})'],
    ['a bare key', JSON.stringify(secretA), 'is not a JWK Set ({"keys":[…]})'],
    ['no list', '{"keys":{}}', 'is not a JWK Set ({"keys":[…]})'],
    ['no key', '{"keys":[]}', 'holds no key'],
    ['a key that is text', jwks(canary), 'holds a key without a "kid"'],
    ['a key that is null', jwks(null), 'holds a key without a "kid"'],
    ['no kid', jwks({ kty: 'oct', k: canary }), 'holds a key without a "kid"'],
    ['a kid that is a number', jwks({ ...secretA, kid: 7 }), 'holds a key without a "kid"'],
    ['an empty kid', jwks({ ...secretA, kid: '' }), 'holds a "kid" that is not 1 to 64 of [A-Za-z0-9_-]'],
    [
      'a kid that would break a stored hash',
      jwks({ ...secretA, kid: 'a$b' }),
      'holds a "kid" that is not 1 to 64 of [A-Za-z0-9_-]',
    ],
    ['a long kid', jwks({ ...secretA, kid: 'k'.repeat(65) }), 'holds a "kid" that is not 1 to 64 of [A-Za-z0-9_-]'],
    ['a kid twice', jwks(secretA, { ...secretB, kid: 'a' }), 'holds the "kid" "a" twice'],
    ['a short key', jwks({ kty: 'oct', kid: 'short', k: canary }), 'key "short" is shorter than 32 bytes'],
    ['31 bytes', jwks({ kty: 'oct', kid: 'short', k: secretA.k.slice(0, 42) }), 'key "short" is shorter than 32 bytes'],
    [
      'a short second key',
      jwks(secretA, { kty: 'oct', kid: 'short', k: canary }),
      'key "short" is shorter than 32 bytes',
    ],
    ['no k', jwks({ kty: 'oct', kid: 'a' }), 'holds a key that is not of type "oct"'],
    ['no base64url', jwks({ kty: 'oct', kid: 'a', k: '%'.repeat(60) }), 'holds a key that is not base64url'],
    ['RSA', jwks(rsa), 'holds a key that is not of type "oct"'],
    ['a signing key', jwks(ed25519), 'holds a key that is not of type "oct"'],
    ['another type, with a k', jwks({ ...secretA, kty: 'RSA' }), 'holds a key that is not of type "oct"'],
  ])('of secrets says what is wrong with it, and nothing of the key: %s', (_, text, problem) => {
    expect(() => parseSecretKeys(text)).toThrow(new KeyError(problem))
  })

  const neither = (kid: string) => `key "${kid}" is neither a private Ed25519 nor a private P-256 key`
  it.each([
    ['no JSON', `{"keys":[${canary}`, 'is not JSON'],
    ['no key', '{"keys":[]}', 'holds no key'],
    ['no kid', jwks({ ...ed25519, kid: undefined }), 'holds a key without a "kid"'],
    ['a kid twice', jwks(ed25519, { ...p256, kid: 'ed' }), 'holds the "kid" "ed" twice'],
    ['RSA', jwks(rsa), neither('rsa')],
    ['a secret', jwks(secretA), neither('a')],
    ['a public key', jwks({ ...ed25519, d: undefined }), neither('ed')],
    ['P-256 without y', jwks({ ...p256, y: undefined }), neither('ec')],
    ['P-384', jwks({ ...p256, crv: 'P-384' }), neither('ec')],
    ['X25519', jwks({ ...ed25519, crv: 'X25519' }), neither('ed')],
    ['Ed25519 by another type', jwks({ ...ed25519, kty: 'EC' }), neither('ed')],
    ['P-256 by another type', jwks({ ...p256, kty: 'OKP' }), neither('ec')],
    ['x that is a number', jwks({ ...ed25519, x: 12 }), neither('ed')],
    ['d that is a number', jwks({ ...ed25519, d: 12 }), neither('ed')],
    ['a short d', jwks({ ...ed25519, d: canary }), 'key "ed" does not import'],
    ['a point that is not on the curve', jwks({ ...p256, y: p256.x }), 'key "ec" does not import'],
    ['a bad second key', jwks(ed25519, { ...p256, d: canary }), 'key "ec" does not import'],
  ])('of signing keys says what is wrong with it, and nothing of the key: %s', async (_, text, problem) => {
    await expect(parseSigningKeys(text)).rejects.toThrow(new KeyError(problem))
  })

  it.each([
    ['Ed25519', { ...ed25519, x: ed25519b.x }],
    [
      'P-256',
      { ...p256, x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' },
    ],
  ])('refuses a key whose two halves do not belong together: %s', async (_, jwk) => {
    await expect(parseSigningKeys(jwks(jwk))).rejects.toThrow(`key "${jwk.kid}" does not import`)
  })

  it('shows the public half and only that', async () => {
    expect(signing.map(({ publicJwk }) => publicJwk)).toEqual([
      { kty: 'OKP', crv: 'Ed25519', x: ed25519.x, kid: 'ed', alg: 'EdDSA', use: 'sig' },
      { kty: 'EC', crv: 'P-256', x: p256.x, y: p256.y, kid: 'ec', alg: 'ES256', use: 'sig' },
    ])
    const served = await startService({ env: { SIGNING_KEYS: jwks(ed25519, p256) } }).call(
      'GET',
      '/.well-known/jwks.json',
    )
    expect(served.json).toEqual({ keys: signing.map(({ publicJwk }) => publicJwk) })
    for (const { privateKey } of signing) expect(privateKey.extractable).toBe(false)
  })
})

describe('kinds', () => {
  /** Says everything that any kind has to say, so that only the kind itself can be what is wrong. */
  const everything = { ...claims, gen: 1, email_sha256: 'e', password_id: 'p', iss: issuer, iat, exp: iat + 60 }
  const kinds: TokenType[] = ['at+jwt', 'rt+jwt', 'activation+jwt', 'reset+jwt', 'device+jwt']

  it('are told apart by every verifier, whatever else a token says and whoever signed it', async () => {
    const accepted: string[] = []
    const keys = [
      { name: 'EdDSA', header: { alg: 'EdDSA', kid: 'ed' }, sign: withEd25519 },
      { name: 'ES256', header: { alg: 'ES256', kid: 'ec' }, sign: withP256 },
      { name: 'HS256', header: { alg: 'HS256', kid: 'a' }, sign: withSecretA },
    ]
    for (const { name, header, sign } of keys) {
      for (const typ of [...kinds, 'JWT', undefined]) {
        for (const aud of [audience, issuer]) {
          const token = await compact({ ...header, typ }, { ...everything, aud }, sign)
          for (const kind of kinds) {
            if (await claimsIn(kind, token)) accepted.push(`${kind} takes ${typ} of ${name} for ${aud}`)
          }
        }
      }
    }
    expect(accepted).toEqual([
      `at+jwt takes at+jwt of EdDSA for ${audience}`,
      `at+jwt takes at+jwt of ES256 for ${audience}`,
      `rt+jwt takes rt+jwt of HS256 for ${issuer}`,
      `activation+jwt takes activation+jwt of HS256 for ${issuer}`,
      `reset+jwt takes reset+jwt of HS256 for ${issuer}`,
      `device+jwt takes device+jwt of HS256 for ${issuer}`,
    ])
  })

  it('are made as they are read', async () => {
    for (const [typ, said] of Object.entries({ 'at+jwt': claims, ...internalClaims })) {
      const token = await signToken(settings, typ as TokenType, said as never, now(), inTenMinutes)
      const taken = await Promise.all(kinds.map(async (kind) => (await claimsIn(kind, token)) && kind))
      expect(taken.filter(Boolean)).toEqual([typ])
      expect(await claimsIn(typ as TokenType, token)).toEqual(said)
    }
  })

  it('say what RFC 9068 wants of an access token, and nothing that nobody asked for', async () => {
    const payload = (await signToken(settings, 'at+jwt', claims, now(), inTenMinutes)).split('.')[1]!
    expect(JSON.parse(new TextDecoder().decode(base64url.decode(payload)))).toEqual({
      ...claims,
      iss: issuer,
      aud: audience,
      iat,
      exp: iat + 600,
    })
  })

  it('are refused as access tokens when they would live longer than those we make', async () => {
    const living = (seconds: number) =>
      compact(
        { alg: 'EdDSA', typ: 'at+jwt', kid: 'ed' },
        { ...everything, aud: audience, exp: iat + seconds },
        withEd25519,
      )
    expect(await claimsIn('at+jwt', await living(600))).toBeDefined()
    expect(await refusalOf('at+jwt', await living(601))).toBe('lives_too_long')
  })

  it('that are Postern’s own are the same text whenever they are made from the same row', async () => {
    const sign = () => signToken(settings, 'rt+jwt', { sid: 'session', gen: 7 }, now(), inAnHour)
    expect(new Set(await Promise.all(Array.from({ length: 20 }, sign))).size).toBe(1)
    const other = await signToken(settings, 'rt+jwt', { sid: 'session', gen: 8 }, now(), inAnHour)
    expect(other).not.toBe(await sign())
  })
})

// The two families: what a good token of each is, and how each is read.
describe.each([
  {
    family: 'an access token',
    header: { alg: 'EdDSA', typ: 'at+jwt', kid: 'ed' } as Record<string, unknown>,
    payload: { ...claims, iss: issuer, aud: audience, iat, exp: iat + accessTokenSeconds } as Record<string, unknown>,
    sign: withEd25519,
    typ: 'at+jwt' as TokenType,
    needed: ['client_id', 'sub', 'sid', 'jti', 'role', 'scope'],
  },
  {
    family: 'a refresh token',
    header: { alg: 'HS256', typ: 'rt+jwt', kid: 'a' } as Record<string, unknown>,
    payload: { sid: 'session', gen: 1, iss: issuer, aud: issuer, iat, exp: iat + 3600 } as Record<string, unknown>,
    sign: withSecretA,
    typ: 'rt+jwt' as TokenType,
    needed: ['sid', 'gen'],
  },
  {
    family: 'a link token',
    header: { alg: 'HS256', typ: 'reset+jwt', kid: 'a' } as Record<string, unknown>,
    payload: { jti: 'link', iss: issuer, aud: issuer, iat, exp: iat + 3600 } as Record<string, unknown>,
    sign: withSecretA,
    typ: 'reset+jwt' as TokenType,
    needed: ['jti'],
  },
])('$family', ({ header, payload, sign, typ, needed }) => {
  const verify = (token: string, at?: Date) => claimsIn(typ, token, at)
  const exp = payload['exp'] as number

  it('is good as it is', async () => {
    expect(await verify(await compact(header, payload, sign))).toBeDefined()
  })

  it.each([
    { reason: 'wrong_issuer', claims: { iss: 'https://evil.example' } },
    { reason: 'wrong_audience', claims: { aud: 'someone-else' } },
    { reason: 'wrong_audience', claims: { aud: undefined } },
    { reason: 'expired', claims: { exp: iat - 1 } },
    { reason: 'not_yet_valid', claims: { iat: iat + 61 } },
    { reason: 'not_yet_valid', claims: { nbf: iat + 61 } },
    { reason: 'bad_claims', claims: { iat: undefined } },
    { reason: 'bad_claims', claims: { exp: exp + 0.5 } },
    { reason: 'bad_claims', claims: { [needed[0]!]: '' } },
    { reason: 'wrong_typ', header: { typ: 'id+jwt' } },
    { reason: 'wrong_algorithm', header: { alg: 'RS256' } },
    { reason: 'unknown_key', header: { kid: 'nobody' } },
    { reason: 'malformed', header: { jku: 'https://evil.example/jwks.json' } },
    { reason: 'malformed', header: { crit: ['exp'] } },
    { reason: 'malformed', claims: { megabyte: 'x'.repeat(1024 * 1024) } },
    { reason: 'bad_signature', sign: unsigned },
  ])('is refused with the reason $reason for the log ($#)', async (wrong) => {
    const token = await compact({ ...header, ...wrong.header }, { ...payload, ...wrong.claims }, wrong.sign ?? sign)
    expect(await refusalOf(typ, token)).toBe(wrong.reason)
  })

  it.each([
    ['iss: another', { iss: 'https://evil.example' }],
    ['iss: with a slash', { iss: `${issuer}/` }],
    ['iss: none', { iss: undefined }],
    ['iss: a list', { iss: [issuer] }],
    ['aud: another', { aud: 'someone-else' }],
    ['aud: none', { aud: undefined }],
    ['aud: an empty list', { aud: [] }],
    ['exp: none', { exp: undefined }],
    ['exp: text', { exp: String(exp) }],
    ['exp: null', { exp: null }],
    ['exp: negative', { exp: -1 }],
    ['exp: a fraction', { exp: exp + 0.5 }],
    ['exp: past', { exp: iat - 1 }],
    ['exp: beyond counting', { exp: 1e300 }],
    ['exp: a list', { exp: [exp] }],
    ['iat: none', { iat: undefined }],
    ['iat: text', { iat: String(iat) }],
    ['iat: null', { iat: null }],
    ['iat: future', { iat: iat + 61 }],
    ['iat: beyond counting', { iat: 1e300 }],
    ['iat: -1e300', { iat: -1e300 }],
    ['nbf: future', { nbf: iat + 61 }],
  ])('is refused for its claims: %s', async (_, change) => {
    expect(await verify(await compact(header, { ...payload, ...change }, sign))).toBeUndefined()
  })

  it.each(['exp', 'iat'])('is refused when %s is a number only by name (1e400)', async (name) => {
    const infinite = JSON.stringify({ ...payload, [name]: '?' }).replace('"?"', '1e400')
    expect(JSON.parse(infinite)[name]).toBe(Number.POSITIVE_INFINITY)
    expect(await verify(await compact(header, infinite, sign))).toBeUndefined()
  })

  it.each(needed)('is refused without %s, or with another kind of value there', async (name) => {
    const ofRightType = name === 'gen' ? [1.5] : name === 'scope' ? [] : ['']
    for (const value of [undefined, null, {}, [], true, name === 'gen' ? '1' : 7, ...ofRightType]) {
      const token = await compact(header, { ...payload, [name]: value }, sign)
      expect(await verify(token), JSON.stringify(value)).toBeUndefined()
    }
    const infinite = JSON.stringify({ ...payload, [name]: '?' }).replace('"?"', '1e400')
    expect(await verify(await compact(header, infinite, sign))).toBeUndefined()
  })

  it.each([
    ['alg: none', { alg: 'none' }],
    ['alg: None', { alg: 'None' }],
    ['alg: missing', { alg: undefined }],
    ['alg: of another family', { alg: 'RS256' }],
    ['alg: HS512', { alg: 'HS512' }],
    ['alg: a list', { alg: ['EdDSA', 'HS256'] }],
    ['typ: JWT', { typ: 'JWT' }],
    ['typ: missing', { typ: undefined }],
    ['typ: another', { typ: 'id+jwt' }],
    ['kid: unknown', { kid: 'nobody' }],
    ['kid: missing', { kid: undefined }],
    ['kid: a prototype’s', { kid: '__proto__' }],
    ['kid: of the other kind', { kid: 'ec' }],
    ['kid: another key of the set', { kid: 'b' }],
    ['jku: of somebody else', { jku: 'https://evil.example/jwks.json' }],
    ['jwk: of somebody else', { jwk: ed25519b }],
    ['a member that says nothing', { cty: '' }],
    ['crit: unknown', { crit: ['exp'] }],
    ['crit: b64', { crit: ['b64'], b64: false }],
  ])('is refused for its header: %s', async (_, change) => {
    expect(await verify(await compact({ ...header, ...change }, payload, sign))).toBeUndefined()
    expect(await verify(await compact({ ...header, ...change }, payload, unsigned))).toBeUndefined()
  })

  it('is refused when its own header brings the key', async () => {
    const brought = { ...header, jwk: ed25519b, jku: 'https://evil.example/jwks.json', x5u: 'https://evil.example/x' }
    const [{ privateKey }] = await parseSigningKeys(jwks(ed25519b))
    const withOther: Signer = async (input) => octets(await crypto.subtle.sign('Ed25519', privateKey, input))
    expect(await verify(await compact({ ...brought, alg: 'EdDSA' }, payload, withOther))).toBeUndefined()
  })

  it('is refused when HMAC is keyed with what everybody can read', async () => {
    const { x } = signing[0].publicJwk
    const raw = octets((await crypto.subtle.exportKey('raw', signing[0].publicKey)) as ArrayBuffer)
    const spki = octets((await crypto.subtle.exportKey('spki', signing[0].publicKey)) as ArrayBuffer)
    const pem = `-----BEGIN PUBLIC KEY-----\n${btoa(String.fromCharCode(...spki))}\n-----END PUBLIC KEY-----\n`
    const jwk = JSON.stringify(signing[0].publicJwk)
    for (const secret of [raw, spki, ...[x, pem, jwk].map((text) => new TextEncoder().encode(text))]) {
      for (const kid of ['ed', 'a', undefined]) {
        const token = await compact({ ...header, alg: 'HS256', kid }, payload, withHmac(secret))
        expect(await verify(token)).toBeUndefined()
      }
    }
  })

  it('is refused from the second at which it expires, and made at most a minute ahead of us', async () => {
    const token = await compact(header, payload, sign)
    expect(await verify(token, new Date(exp * 1000 - 1))).toBeDefined()
    expect(await verify(token, new Date(exp * 1000))).toBeUndefined()
    expect(await verify(token, new Date(now().getTime() - minute))).toBeDefined()
    expect(await verify(token, new Date(now().getTime() - minute - second))).toBeUndefined()
  })

  it('says the same in every spelling that passes, and most do not', async () => {
    const token = await compact(header, payload, sign)
    const said = await verify(token)
    const [head, body, signature] = token.split('.') as [string, string, string]
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const spellings = [
      ...Array.from(last, (letter) => `${head}.${body}.${signature.slice(0, -1)}${letter}`),
      ...Array.from(last, (letter) => `${head}.${body.slice(0, -1)}${letter}.${signature}`),
      `${head}.${body}.${signature}=`,
      `${head}.${body}.${signature}==`,
      `${head}=.${body}.${signature}`,
      `${head}.${body}.${signature}\n`,
      ` ${token}`,
      `${token} `,
      `${token}.`,
      `${token}.${signature}`,
      `${head}.${body}.${signature.replaceAll('-', '+').replaceAll('_', '/')}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      `${head}..${signature}`,
      `${body}.${head}.${signature}`,
      JSON.stringify({ protected: head, payload: body, signature }),
      '',
      '.',
      '..',
    ]
    for (const spelling of spellings) {
      const claimed = await verify(spelling)
      if (claimed !== undefined) expect(claimed, spelling).toEqual(said)
    }
    expect(
      await verify(`${head}.${base64url.encode(JSON.stringify({ ...payload, more: 1 }))}.${signature}`),
    ).toBeUndefined()
  })

  it('is refused when it is longer than any of ours, before anything is done with it', async () => {
    const megabyte = 'x'.repeat(1024 * 1024)
    expect(await verify(await compact(header, { ...payload, megabyte }, sign))).toBeUndefined()
    expect(await verify(megabyte)).toBeUndefined()
    expect(await verify('.'.repeat(1024 * 1024))).toBeUndefined()
  })

  it('is refused when it is no object at all', async () => {
    for (const text of ['null', '[]', '"text"', '7', '{', '', `[${JSON.stringify(payload)}]`]) {
      expect(await verify(await compact(header, text, sign)), text).toBeUndefined()
    }
    for (const text of ['null', '[]', '{', '']) {
      expect(await verify(await compact(text, payload, sign)), text).toBeUndefined()
    }
  })
})

describe('rotation', () => {
  const ring = (...keys: unknown[]) => parseSecretKeys(jwks(...keys))
  const kidOf = (token: string) =>
    JSON.parse(new TextDecoder().decode(base64url.decode(token.split('.')[0]!))) as { kid: string; alg: string }

  it('of secrets: the first key makes, all verify, a dropped one does not', async () => {
    const make = (secretKeys: typeof secrets) =>
      signToken({ ...settings, secretKeys }, 'reset+jwt', { jti: 'link' }, now(), inAnHour)
    const verify = (secretKeys: typeof secrets, token: string) =>
      claimsIn('reset+jwt', token, now(), { ...settings, secretKeys })
    const old = await make(ring(secretA))
    const fresh = await make(ring(secretB, secretA))
    expect([kidOf(old).kid, kidOf(fresh).kid]).toEqual(['a', 'b'])
    expect(await verify(ring(secretB, secretA), old)).toBeDefined()
    expect(await verify(ring(secretB, secretA), fresh)).toBeDefined()
    expect(await verify(ring(secretB), old)).toBeUndefined()
    expect(await verify(ring(secretB), fresh)).toBeDefined()
    expect(await verify(ring({ ...secretB, kid: 'a' }), old), 'another key under its name').toBeUndefined()
  })

  it('of signing keys: from one algorithm to another', async () => {
    const by = async (...keys: unknown[]) => ({ ...settings, signingKeys: await parseSigningKeys(jwks(...keys)) })
    const old = await signToken(await by(ed25519), 'at+jwt', claims, now(), inTenMinutes)
    const fresh = await signToken(await by(p256, ed25519), 'at+jwt', claims, now(), inTenMinutes)
    expect([kidOf(old), kidOf(fresh)]).toMatchObject([
      { kid: 'ed', alg: 'EdDSA' },
      { kid: 'ec', alg: 'ES256' },
    ])
    for (const token of [old, fresh])
      expect(await claimsIn('at+jwt', token, now(), await by(p256, ed25519))).toEqual(claims)
    expect(await claimsIn('at+jwt', old, now(), await by(p256))).toBeUndefined()
    expect(await claimsIn('at+jwt', old, now(), await by({ ...ed25519b, kid: 'ed' }))).toBeUndefined()
  })

  it('leaves people signed in, as long as the old keys verify', async () => {
    const ada = await signUp(
      startService({ env: { SIGNING_KEYS: jwks(ed25519), TOKEN_KEYS: jwks(secretA) } }),
      'ada@example.com',
    )
    const me = (service: ReturnType<typeof startService>) =>
      service.call('GET', '/users/me', { token: ada.accessToken })
    const refresh = (service: ReturnType<typeof startService>) =>
      service.call('POST', '/auth/refresh', { body: { refresh_token: ada.refreshToken } })

    const both = startService({ env: { SIGNING_KEYS: jwks(p256, ed25519), TOKEN_KEYS: jwks(secretB, secretA) } })
    expect((await me(both)).status).toBe(200)
    const refreshed = await refresh(both)
    expect(refreshed.status).toBe(200)
    expect([kidOf(refreshed.json.access_token).kid, kidOf(refreshed.json.refresh_token).kid]).toEqual(['ec', 'b'])

    const dropped = startService({ env: { SIGNING_KEYS: jwks(p256), TOKEN_KEYS: jwks(secretB) } })
    expect((await me(dropped)).json).toMatchObject({ code: 'invalid_token' })
    expect((await refresh(dropped)).json).toMatchObject({ code: 'invalid_refresh_token' })
    const { access_token: token, refresh_token } = refreshed.json
    expect((await dropped.call('GET', '/users/me', { token })).status).toBe(200)
    expect((await dropped.call('POST', '/auth/refresh', { body: { refresh_token } })).status).toBe(200)
  })
})
