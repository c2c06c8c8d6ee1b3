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
import {
  accessTokenSeconds,
  deviceTokenSeconds,
  factorTokenSeconds,
  trustTokenSeconds,
} from '../../src/config/policy.ts'
import { Caller } from '../support/caller.ts'
import { Clock, hour, minute, second } from '../support/clock.ts'
import { peopleOf } from '../support/population.ts'
import { startService } from '../support/service.ts'
import { ed25519, p256 } from '../support/wrong-tokens.ts'

// Published keys, for tests only.
const ed25519b = {
  kty: 'OKP',
  crv: 'Ed25519',
  kid: 'ed-b',
  x: '-lBMNOAgf2Dx9n-ca3LK_9o1Ad-guzNfzWVzvmF3VEc',
  d: 'q9RclPnCmxVm1Dkub7k6Wj65_pQvCImonWWsmUZoDyk',
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
  factorTokenSeconds,
  trustTokenSeconds,
}
const [user, session] = ['01a20320-a200-7000-8000-00000000000a', '01a20320-a200-7000-8000-00000000000b']
const link = '01a20320-a200-7000-9abc-00000000000c'
const device = '3f333df6-90a4-4fda-8dd3-9485d27cee36'
const claims = { client_id: 'postern', sub: user, sid: session, jti: device, role: 'USER', scope: 'users:read' }
/** Of every kind but the access token: a new kind is a new entry. */
const internalClaims = {
  'rt+jwt': { sid: session, gen: 3 },
  'activation+jwt': { jti: link },
  'reset+jwt': { jti: link },
  'email-change+jwt': { jti: link },
  'email-revert+jwt': { jti: link, sub: user },
  'device+jwt': { jti: device, email_sha256: 'e', password_id: user },
  'factor+jwt': { jti: device, sub: user, password_id: user, factors_id: link },
  'trust+jwt': { sub: user, password_id: user, factors_id: link, trust: 0 },
} satisfies { [T in Exclude<TokenType, 'at+jwt'>]: Claims<T> }
const inAMinute = new Date(now().getTime() + minute)
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

/** Signs any text as a JWS, so that a test decides every byte of it. */
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

  it.for([
    { flaw: 'no JSON', text: `{"keys":[${canary}`, problem: 'is not JSON' },
    { flaw: 'null', text: 'null', problem: 'is not a JWK Set ({"keys":[…]})' },
    { flaw: 'text', text: '"keys"', problem: 'is not a JWK Set ({"keys":[…]})' },
    { flaw: 'a number', text: '7', problem: 'is not a JWK Set ({"keys":[…]})' },
    { flaw: 'a bare key', text: JSON.stringify(secretA), problem: 'is not a JWK Set ({"keys":[…]})' },
    { flaw: 'no list', text: '{"keys":{}}', problem: 'is not a JWK Set ({"keys":[…]})' },
    { flaw: 'no key', text: '{"keys":[]}', problem: 'holds no key' },
    { flaw: 'a key that is text', text: jwks(canary), problem: 'holds a key without a "kid"' },
    { flaw: 'a key that is null', text: jwks(null), problem: 'holds a key without a "kid"' },
    { flaw: 'no kid', text: jwks({ kty: 'oct', k: canary }), problem: 'holds a key without a "kid"' },
    { flaw: 'a kid that is a number', text: jwks({ ...secretA, kid: 7 }), problem: 'holds a key without a "kid"' },
    {
      flaw: 'an empty kid',
      text: jwks({ ...secretA, kid: '' }),
      problem: 'holds a "kid" that is not 1 to 64 of [A-Za-z0-9_-]',
    },
    {
      flaw: 'a kid that would break a stored hash',
      text: jwks({ ...secretA, kid: 'a$b' }),
      problem: 'holds a "kid" that is not 1 to 64 of [A-Za-z0-9_-]',
    },
    {
      flaw: 'a long kid',
      text: jwks({ ...secretA, kid: 'k'.repeat(65) }),
      problem: 'holds a "kid" that is not 1 to 64 of [A-Za-z0-9_-]',
    },
    { flaw: 'a kid twice', text: jwks(secretA, { ...secretB, kid: 'a' }), problem: 'holds the "kid" "a" twice' },
    {
      flaw: 'a short key',
      text: jwks({ kty: 'oct', kid: 'short', k: canary }),
      problem: 'key "short" is shorter than 32 bytes',
    },
    {
      flaw: '31 bytes',
      text: jwks({ kty: 'oct', kid: 'short', k: secretA.k.slice(0, 42) }),
      problem: 'key "short" is shorter than 32 bytes',
    },
    {
      flaw: 'a short second key',
      text: jwks(secretA, { kty: 'oct', kid: 'short', k: canary }),
      problem: 'key "short" is shorter than 32 bytes',
    },
    { flaw: 'no k', text: jwks({ kty: 'oct', kid: 'a' }), problem: 'holds a key that is not of type "oct"' },
    {
      flaw: 'no base64url',
      text: jwks({ kty: 'oct', kid: 'a', k: '%'.repeat(60) }),
      problem: 'holds a key that is not base64url',
    },
    { flaw: 'RSA', text: jwks(rsa), problem: 'holds a key that is not of type "oct"' },
    { flaw: 'a signing key', text: jwks(ed25519), problem: 'holds a key that is not of type "oct"' },
    {
      flaw: 'another type, with a k',
      text: jwks({ ...secretA, kty: 'RSA' }),
      problem: 'holds a key that is not of type "oct"',
    },
  ])('of secrets is refused with the flaw in the error, and nothing of the key: $flaw', ({ text, problem }) => {
    expect(() => parseSecretKeys(text)).toThrow(new KeyError(problem))
  })

  const neither = (kid: string) => `key "${kid}" is neither a private Ed25519 nor a private P-256 key`
  it.for([
    { flaw: 'no JSON', text: `{"keys":[${canary}`, problem: 'is not JSON' },
    { flaw: 'no key', text: '{"keys":[]}', problem: 'holds no key' },
    { flaw: 'no kid', text: jwks({ ...ed25519, kid: undefined }), problem: 'holds a key without a "kid"' },
    { flaw: 'a kid twice', text: jwks(ed25519, { ...p256, kid: 'ed' }), problem: 'holds the "kid" "ed" twice' },
    { flaw: 'RSA', text: jwks(rsa), problem: neither('rsa') },
    { flaw: 'a secret', text: jwks(secretA), problem: neither('a') },
    { flaw: 'a public key', text: jwks({ ...ed25519, d: undefined }), problem: neither('ed') },
    { flaw: 'P-256 without y', text: jwks({ ...p256, y: undefined }), problem: neither('ec') },
    { flaw: 'P-384', text: jwks({ ...p256, crv: 'P-384' }), problem: neither('ec') },
    { flaw: 'X25519', text: jwks({ ...ed25519, crv: 'X25519' }), problem: neither('ed') },
    { flaw: 'Ed25519 by another type', text: jwks({ ...ed25519, kty: 'EC' }), problem: neither('ed') },
    { flaw: 'P-256 by another type', text: jwks({ ...p256, kty: 'OKP' }), problem: neither('ec') },
    { flaw: 'x that is a number', text: jwks({ ...ed25519, x: 12 }), problem: neither('ed') },
    { flaw: 'd that is a number', text: jwks({ ...ed25519, d: 12 }), problem: neither('ed') },
    { flaw: 'a short d', text: jwks({ ...ed25519, d: canary }), problem: 'key "ed" does not import' },
    {
      flaw: 'a point that is not on the curve',
      text: jwks({ ...p256, y: p256.x }),
      problem: 'key "ec" does not import',
    },
    { flaw: 'a bad second key', text: jwks(ed25519, { ...p256, d: canary }), problem: 'key "ec" does not import' },
  ])(
    'of signing keys is refused with the flaw in the error, and nothing of the key: $flaw',
    async ({ text, problem }) => {
      await expect(parseSigningKeys(text)).rejects.toThrow(new KeyError(problem))
    },
  )

  it.for([
    { type: 'Ed25519', jwk: { ...ed25519, x: ed25519b.x } },
    {
      type: 'P-256',
      jwk: {
        ...p256,
        x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
        y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      },
    },
  ])('is refused if the public half of a key does not match the private one: $type', async ({ jwk }) => {
    await expect(parseSigningKeys(jwks(jwk))).rejects.toThrow(`key "${jwk.kid}" does not import`)
  })

  it('publishes the public halves of its keys only', async () => {
    const service = startService({ env: { SIGNING_KEYS: jwks(ed25519, p256) } })
    expect(signing.map(({ publicJwk }) => publicJwk)).toEqual([
      { kty: 'OKP', crv: 'Ed25519', x: ed25519.x, kid: 'ed', alg: 'EdDSA', use: 'sig' },
      { kty: 'EC', crv: 'P-256', x: p256.x, y: p256.y, kid: 'ec', alg: 'ES256', use: 'sig' },
    ])
    expect(await new Caller(service).getKeys()).toEqual({ keys: signing.map(({ publicJwk }) => publicJwk) })
    for (const { privateKey } of signing) expect(privateKey.extractable).toBe(false)
  })
})

describe('the kinds of tokens', () => {
  /** The claims of every kind, so that nothing but the kind can be the reason of a refusal. */
  const everything = Object.assign({}, ...Object.values(internalClaims), claims, { iss: issuer, iat, exp: iat + 60 })
  const internal = Object.keys(internalClaims) as TokenType[]
  const kinds: TokenType[] = ['at+jwt', ...internal]

  it('are told apart by every verifier, whatever the claims and the signing key', async () => {
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
      ...internal.map((kind) => `${kind} takes ${kind} of HS256 for ${issuer}`),
    ])
  })

  it('are read back with the claims that they were signed with', async () => {
    for (const [typ, said] of Object.entries({ 'at+jwt': claims, ...internalClaims })) {
      const token = await signToken(settings, typ as TokenType, said as never, now(), inAMinute)
      const taken = await Promise.all(kinds.map(async (kind) => (await claimsIn(kind, token)) && kind))
      expect(taken.filter(Boolean)).toEqual([typ])
      expect(await claimsIn(typ as TokenType, token)).toEqual(said)
    }
  })

  it('put the claims of RFC 9068 and nothing else into an access token', async () => {
    const payload = (await signToken(settings, 'at+jwt', claims, now(), inTenMinutes)).split('.')[1]!
    expect(JSON.parse(new TextDecoder().decode(base64url.decode(payload)))).toEqual({
      ...claims,
      iss: issuer,
      aud: audience,
      iat,
      exp: iat + 600,
    })
  })

  it('reject an access token with a longer lifetime than the service gives', async () => {
    const living = (seconds: number) =>
      compact(
        { alg: 'EdDSA', typ: 'at+jwt', kid: 'ed' },
        { ...everything, aud: audience, exp: iat + seconds },
        withEd25519,
      )
    expect(await claimsIn('at+jwt', await living(600))).toBeDefined()
    expect(await refusalOf('at+jwt', await living(601))).toBe('lives_too_long')
  })

  it.each([
    { typ: 'device+jwt', longest: deviceTokenSeconds },
    { typ: 'factor+jwt', longest: factorTokenSeconds },
    { typ: 'trust+jwt', longest: trustTokenSeconds },
  ] as const)('reject $typ with a longer lifetime than the service gives', async ({ typ, longest }) => {
    const living = (seconds: number) =>
      signToken(settings, typ, internalClaims[typ], now(), new Date(now().getTime() + seconds * 1000))
    expect(await claimsIn(typ, await living(longest))).toBeDefined()
    expect(await refusalOf(typ, await living(longest + 1))).toBe('lives_too_long')
  })

  it.each([
    { typ: 'email-revert+jwt', needed: ['jti', 'sub'] },
    { typ: 'factor+jwt', needed: ['jti', 'sub', 'password_id', 'factors_id'] },
    { typ: 'trust+jwt', needed: ['sub', 'password_id', 'factors_id', 'trust'] },
  ] as const)('reject $typ that lacks one of its claims or has another value in it', async ({ typ, needed }) => {
    for (const name of needed) {
      for (const value of [undefined, '', 'x', [], name === 'trust' ? '0' : 0]) {
        const said = { ...internalClaims[typ], [name]: value } as never
        expect(await refusalOf(typ, await signToken(settings, typ, said, now(), inAMinute)), name).toBe('bad_claims')
      }
    }
  })

  it('reject a factor token whose link or device is no id', async () => {
    for (const name of ['link_id', 'device_id']) {
      const said = { ...internalClaims['factor+jwt'], [name]: 'x' }
      const token = await signToken(settings, 'factor+jwt', said, now(), inAMinute)
      expect(await refusalOf('factor+jwt', token), name).toBe('bad_claims')
    }
  })

  it('give the same internal token whenever it is made from the same row', async () => {
    const sign = () => signToken(settings, 'rt+jwt', { sid: session, gen: 7 }, now(), inAnHour)
    expect(new Set(await Promise.all(Array.from({ length: 20 }, sign))).size).toBe(1)
    const other = await signToken(settings, 'rt+jwt', { sid: session, gen: 8 }, now(), inAnHour)
    expect(other).not.toBe(await sign())
  })
})

// Tokens signed with a key pair and tokens signed with a secret: a good one of each, and how it is read.
describe.each([
  {
    family: 'an access token',
    header: { alg: 'EdDSA', typ: 'at+jwt', kid: 'ed' } as Record<string, unknown>,
    payload: { ...claims, iss: issuer, aud: audience, iat, exp: iat + accessTokenSeconds } as Record<string, unknown>,
    sign: withEd25519,
    typ: 'at+jwt' as TokenType,
    needed: ['client_id', 'sub', 'sid', 'jti', 'role', 'scope'],
    ids: ['sub', 'sid'],
  },
  {
    family: 'a refresh token',
    header: { alg: 'HS256', typ: 'rt+jwt', kid: 'a' } as Record<string, unknown>,
    payload: { sid: session, gen: 1, iss: issuer, aud: issuer, iat, exp: iat + 3600 } as Record<string, unknown>,
    sign: withSecretA,
    typ: 'rt+jwt' as TokenType,
    needed: ['sid', 'gen'],
    ids: ['sid'],
  },
  {
    family: 'a link token',
    header: { alg: 'HS256', typ: 'reset+jwt', kid: 'a' } as Record<string, unknown>,
    payload: { jti: link, iss: issuer, aud: issuer, iat, exp: iat + 3600 } as Record<string, unknown>,
    sign: withSecretA,
    typ: 'reset+jwt' as TokenType,
    needed: ['jti'],
    ids: ['jti'],
  },
  {
    family: 'a device token',
    header: { alg: 'HS256', typ: 'device+jwt', kid: 'a' } as Record<string, unknown>,
    payload: { ...internalClaims['device+jwt'], iss: issuer, aud: issuer, iat, exp: iat + 3600 } as Record<
      string,
      unknown
    >,
    sign: withSecretA,
    typ: 'device+jwt' as TokenType,
    needed: ['jti', 'email_sha256', 'password_id'],
    ids: ['jti', 'password_id'],
  },
])('$family', ({ header, payload, sign, typ, needed, ids }) => {
  const verify = (token: string, at?: Date) => claimsIn(typ, token, at)
  const exp = payload['exp'] as number

  it('is accepted unchanged', async () => {
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
  ])('is refused with the reason $reason for the log: $#', async (wrong) => {
    const token = await compact({ ...header, ...wrong.header }, { ...payload, ...wrong.claims }, wrong.sign ?? sign)
    expect(await refusalOf(typ, token)).toBe(wrong.reason)
  })

  it.for([
    { flaw: 'iss: another', change: { iss: 'https://evil.example' } },
    { flaw: 'iss: with a slash', change: { iss: `${issuer}/` } },
    { flaw: 'iss: none', change: { iss: undefined } },
    { flaw: 'iss: a list', change: { iss: [issuer] } },
    { flaw: 'aud: another', change: { aud: 'someone-else' } },
    { flaw: 'aud: none', change: { aud: undefined } },
    { flaw: 'aud: an empty list', change: { aud: [] } },
    { flaw: 'exp: none', change: { exp: undefined } },
    { flaw: 'exp: text', change: { exp: String(exp) } },
    { flaw: 'exp: null', change: { exp: null } },
    { flaw: 'exp: negative', change: { exp: -1 } },
    { flaw: 'exp: a fraction', change: { exp: exp + 0.5 } },
    { flaw: 'exp: past', change: { exp: iat - 1 } },
    { flaw: 'exp: beyond counting', change: { exp: 1e300 } },
    { flaw: 'exp: a list', change: { exp: [exp] } },
    { flaw: 'iat: none', change: { iat: undefined } },
    { flaw: 'iat: text', change: { iat: String(iat) } },
    { flaw: 'iat: null', change: { iat: null } },
    { flaw: 'iat: future', change: { iat: iat + 61 } },
    { flaw: 'iat: beyond counting', change: { iat: 1e300 } },
    { flaw: 'iat: -1e300', change: { iat: -1e300 } },
    { flaw: 'nbf: future', change: { nbf: iat + 61 } },
  ])('is refused because of its claims: $flaw', async ({ change }) => {
    expect(await verify(await compact(header, { ...payload, ...change }, sign))).toBeUndefined()
  })

  it.each(['exp', 'iat'])('is refused if %s is 1e400, which JSON.parse turns into infinity', async (name) => {
    const infinite = JSON.stringify({ ...payload, [name]: '?' }).replace('"?"', '1e400')
    expect(JSON.parse(infinite)[name]).toBe(Number.POSITIVE_INFINITY)
    expect(await verify(await compact(header, infinite, sign))).toBeUndefined()
  })

  it.each(ids)('is refused when its %s is no id, which the database would not take', async (name) => {
    const good = String(payload[name])
    for (const value of ['x', good.toUpperCase(), good.slice(1), `${good}0`, `${good}\n`, good.replaceAll('-', '')]) {
      expect(await refusalOf(typ, await compact(header, { ...payload, [name]: value }, sign)), value).toBe('bad_claims')
    }
  })

  it.each(needed)('is refused without %s, or with a value of another type', async (name) => {
    const ofRightType = name === 'gen' ? [1.5] : name === 'scope' ? [] : ['']
    for (const value of [undefined, null, {}, [], true, name === 'gen' ? '1' : 7, ...ofRightType]) {
      const token = await compact(header, { ...payload, [name]: value }, sign)
      expect(await verify(token), JSON.stringify(value)).toBeUndefined()
    }
    const infinite = JSON.stringify({ ...payload, [name]: '?' }).replace('"?"', '1e400')
    expect(await verify(await compact(header, infinite, sign))).toBeUndefined()
  })

  it.for([
    { flaw: 'alg: none', change: { alg: 'none' } },
    { flaw: 'alg: None', change: { alg: 'None' } },
    { flaw: 'alg: missing', change: { alg: undefined } },
    { flaw: 'alg: of another family', change: { alg: 'RS256' } },
    { flaw: 'alg: HS512', change: { alg: 'HS512' } },
    { flaw: 'alg: a list', change: { alg: ['EdDSA', 'HS256'] } },
    { flaw: 'typ: JWT', change: { typ: 'JWT' } },
    { flaw: 'typ: missing', change: { typ: undefined } },
    { flaw: 'typ: another', change: { typ: 'id+jwt' } },
    { flaw: 'kid: unknown', change: { kid: 'nobody' } },
    { flaw: 'kid: missing', change: { kid: undefined } },
    { flaw: 'kid: a prototype’s', change: { kid: '__proto__' } },
    { flaw: 'kid: of the other kind', change: { kid: 'ec' } },
    { flaw: 'kid: another key of the set', change: { kid: 'b' } },
    { flaw: 'jku: of somebody else', change: { jku: 'https://evil.example/jwks.json' } },
    { flaw: 'jwk: of somebody else', change: { jwk: ed25519b } },
    { flaw: 'a member that says nothing', change: { cty: '' } },
    { flaw: 'crit: unknown', change: { crit: ['exp'] } },
    { flaw: 'crit: b64', change: { crit: ['b64'], b64: false } },
  ])('is refused because of its header: $flaw', async ({ change }) => {
    expect(await verify(await compact({ ...header, ...change }, payload, sign))).toBeUndefined()
    expect(await verify(await compact({ ...header, ...change }, payload, unsigned))).toBeUndefined()
  })

  it('is refused if its own header brings the key', async () => {
    const brought = { ...header, jwk: ed25519b, jku: 'https://evil.example/jwks.json', x5u: 'https://evil.example/x' }
    const [{ privateKey }] = await parseSigningKeys(jwks(ed25519b))
    const withOther: Signer = async (input) => octets(await crypto.subtle.sign('Ed25519', privateKey, input))
    expect(await verify(await compact({ ...brought, alg: 'EdDSA' }, payload, withOther))).toBeUndefined()
  })

  it('is refused if its HMAC key is one of the published values', async () => {
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

  it('is refused from the second of its expiry, or if issued over a minute in the future', async () => {
    const token = await compact(header, payload, sign)
    expect(await verify(token, new Date(exp * 1000 - 1))).toBeDefined()
    expect(await verify(token, new Date(exp * 1000))).toBeUndefined()
    expect(await verify(token, new Date(now().getTime() - minute))).toBeDefined()
    expect(await verify(token, new Date(now().getTime() - minute - second))).toBeUndefined()
  })

  it('has the same claims in every encoding that is accepted', async () => {
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

  it('is refused at a length that no token of the service has', async () => {
    const megabyte = 'x'.repeat(1024 * 1024)
    expect(await verify(await compact(header, { ...payload, megabyte }, sign))).toBeUndefined()
    expect(await verify(megabyte)).toBeUndefined()
    expect(await verify('.'.repeat(1024 * 1024))).toBeUndefined()
  })

  it('is refused if its header or payload is not an object', async () => {
    for (const text of ['null', '[]', '"text"', '7', '{', '', `[${JSON.stringify(payload)}]`]) {
      expect(await verify(await compact(header, text, sign)), text).toBeUndefined()
    }
    for (const text of ['null', '[]', '{', '']) {
      expect(await verify(await compact(text, payload, sign)), text).toBeUndefined()
    }
  })
})

describe('key rotation', () => {
  const ring = (...keys: unknown[]) => parseSecretKeys(jwks(...keys))
  const kidOf = (token: string) =>
    JSON.parse(new TextDecoder().decode(base64url.decode(token.split('.')[0]!))) as { kid: string; alg: string }

  it('signs with the first secret, verifies with all, and no longer with a removed one', async () => {
    const make = (secretKeys: typeof secrets) =>
      signToken({ ...settings, secretKeys }, 'reset+jwt', { jti: link }, now(), inAnHour)
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

  it('moves signing keys from one algorithm to another', async () => {
    const by = async (...keys: unknown[]) => ({ ...settings, signingKeys: await parseSigningKeys(jwks(...keys)) })
    const old = await signToken(await by(ed25519), 'at+jwt', claims, now(), inTenMinutes)
    const fresh = await signToken(await by(p256, ed25519), 'at+jwt', claims, now(), inTenMinutes)
    expect([kidOf(old), kidOf(fresh)]).toMatchObject([
      { kid: 'ed', alg: 'EdDSA' },
      { kid: 'ec', alg: 'ES256' },
    ])
    for (const token of [old, fresh]) {
      expect(await claimsIn('at+jwt', token, now(), await by(p256, ed25519))).toEqual(claims)
    }
    expect(await claimsIn('at+jwt', old, now(), await by(p256))).toBeUndefined()
    expect(await claimsIn('at+jwt', old, now(), await by({ ...ed25519b, kid: 'ed' }))).toBeUndefined()
  })

  it('keeps users signed in as long as the old keys verify', async () => {
    const old = startService({ env: { SIGNING_KEYS: jwks(ed25519), TOKEN_KEYS: jwks(secretA) } })
    const ada = await peopleOf(old).signUp('ada@example.com')

    const both = startService({ env: { SIGNING_KEYS: jwks(p256, ed25519), TOKEN_KEYS: jwks(secretB, secretA) } })
    await ada.at(both).me()
    const renewed = await ada.at(both).renewed()
    expect([kidOf(renewed.accessToken).kid, kidOf(renewed.refreshToken).kid]).toEqual(['ec', 'b'])

    const dropped = startService({ env: { SIGNING_KEYS: jwks(p256), TOKEN_KEYS: jwks(secretB) } })
    await ada.at(dropped).me().refused(401, 'invalid_token')
    await ada.at(dropped).refresh().refused(401, 'invalid_refresh_token')
    await renewed.at(dropped).me()
    await renewed.at(dropped).refresh()
  })
})
