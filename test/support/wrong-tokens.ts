/** Access tokens that are wrong in one way each, signed as well as somebody could sign them. */
import { base64url, decodeJwt } from 'jose'

// Keys that are in the open and therefore good for nothing but tests.
export const ed25519 = {
  kty: 'OKP',
  crv: 'Ed25519',
  kid: 'ed',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
}
export const p256 = {
  kty: 'EC',
  crv: 'P-256',
  kid: 'ec',
  x: 'Yy2jovw1KXUYo-MdIC5s0tceXTe_3JQX9lTpsziHfE4',
  y: '2RfGZ7uKMX3ePHjGLgg1NhfKd4kOEERSU2BA41Vqfyk',
  d: 'jLmDs4iZW1KH5TkVg59bypo42UZGq8hpkF7DH3Um1Mg',
}
/** The signing keys of the service that these tokens are for. */
export const signingKeys = JSON.stringify({ keys: [ed25519, p256] })
export const signingKeysOtherFirst = JSON.stringify({ keys: [p256, ed25519] })

type Signer = (input: Uint8Array) => Promise<Uint8Array>
export type Claims = Record<string, unknown>

const bytes = (text: string) => new TextEncoder().encode(text)
const octets = (buffer: ArrayBuffer) => new Uint8Array(buffer)

async function signerOf(jwk: JsonWebKey, algorithm: { name: string; namedCurve?: string; hash?: string }) {
  const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign'])
  const sign: Signer = async (input) => octets(await crypto.subtle.sign(algorithm, key, input))
  return sign
}
const ed25519Algorithm = { name: 'Ed25519' }
const p256Algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const withEd25519 = await signerOf(ed25519, ed25519Algorithm)
const withP256 = await signerOf(p256, p256Algorithm)

const attacker = (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as CryptoKeyPair
const attackerJwk = (await crypto.subtle.exportKey('jwk', attacker.publicKey)) as JsonWebKey
const withAttacker: Signer = async (input) => octets(await crypto.subtle.sign('Ed25519', attacker.privateKey, input))

const rsa = (await crypto.subtle.generateKey(
  { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
  false,
  ['sign', 'verify'],
)) as CryptoKeyPair
const withRsa: Signer = async (input) => octets(await crypto.subtle.sign('RSASSA-PKCS1-v1_5', rsa.privateKey, input))

const withHmac =
  (secret: Uint8Array, bits: 256 | 384 | 512): Signer =>
  async (input) => {
    const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: `SHA-${bits}` }, false, ['sign'])
    return octets(await crypto.subtle.sign('HMAC', key, input))
  }
const unsigned: Signer = async () => new Uint8Array()

/** What an attacker who knows the JWKS could take for a shared secret. */
async function publicKeyForms(): Promise<[string, Uint8Array][]> {
  const forms: [string, Uint8Array][] = []
  for (const [jwk, algorithm] of [
    [ed25519, ed25519Algorithm],
    [p256, p256Algorithm],
  ] as const) {
    const { d: _, ...publicJwk } = jwk
    const key = await crypto.subtle.importKey('jwk', publicJwk, algorithm, true, ['verify'])
    const der = octets((await crypto.subtle.exportKey('spki', key)) as ArrayBuffer)
    const base64 = btoa(String.fromCharCode(...der))
    const pem = `-----BEGIN PUBLIC KEY-----\n${base64.replaceAll(/(.{64})/g, '$1\n')}\n-----END PUBLIC KEY-----`
    forms.push(
      [`${jwk.kid} as PEM`, bytes(pem)],
      [`${jwk.kid} as PEM with a line end`, bytes(`${pem}\n`)],
      [`${jwk.kid} as DER`, der],
      [`${jwk.kid} as base64 of DER`, bytes(base64)],
      [`${jwk.kid} as JWK`, bytes(JSON.stringify(publicJwk))],
      [`${jwk.kid} as raw`, octets((await crypto.subtle.exportKey('raw', key)) as ArrayBuffer)],
      [`${jwk.kid} as x`, base64url.decode(jwk.x)],
      [`${jwk.kid} as text of x`, bytes(jwk.x)],
    )
  }
  return forms
}

const encode = (value: unknown) => base64url.encode(typeof value === 'string' ? value : JSON.stringify(value))

/** Any text at all as a JWS, so that a test says exactly what is in it. */
async function compact(header: unknown, payload: unknown, sign: Signer): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${base64url.encode(await sign(bytes(input)))}`
}

const header = { alg: 'EdDSA', typ: 'at+jwt', kid: 'ed' }

/** The header and the claims as they should be, but for what is given. `undefined` leaves a member out. */
export function forge(claims: Claims, changes: { header?: Claims; claims?: Claims; sign?: Signer } = {}) {
  return compact({ ...header, ...changes.header }, { ...claims, ...changes.claims }, changes.sign ?? withEd25519)
}

/** A claim that JSON has and `JSON.stringify` does not write. */
function forgeNumber(claims: Claims, name: string, number: string): Promise<string> {
  return compact(
    header,
    JSON.stringify({ ...claims, [name]: '?' }).replace(`"${name}":"?"`, `"${name}":${number}`),
    withEd25519,
  )
}

/** Forged tokens that are good: were they refused, the table below would show nothing. */
export async function rightTokens(claims: Claims): Promise<[string, string][]> {
  const aud = String(claims['aud'])
  return [
    ['as made', await forge(claims)],
    ['by the other key', await forge(claims, { header: { alg: 'ES256', kid: 'ec' }, sign: withP256 })],
    ['typ in full', await forge(claims, { header: { typ: 'application/at+jwt' } })],
    ['typ in capitals', await forge(claims, { header: { typ: 'AT+JWT' } })],
    ['aud as a list with ours', await forge(claims, { claims: { aud: ['another', aud] } })],
    ['nbf in the past', await forge(claims, { claims: { nbf: Number(claims['iat']) - 60 } })],
    [
      'of an earlier release',
      await forge(claims, { claims: { auth_time: undefined, amr: undefined, acr: undefined } }),
    ],
    ['an unknown claim', await forge(claims, { claims: { extra: true } })],
  ]
}

/** In every mixture of small and capital letters. */
function spellingsOf(word: string): string[] {
  if (word === '') return ['']
  const [first = '', ...rest] = word
  const ends = spellingsOf(rest.join(''))
  return [first.toLowerCase(), first.toUpperCase()].flatMap((letter) => ends.map((end) => letter + end))
}

/** Every way to be wrong. `claims` are those of a token that is good now. */
export async function wrongTokens(good: string): Promise<[string, string][]> {
  const claims: Claims = decodeJwt(good)
  const iat = Number(claims['iat'])
  const exp = Number(claims['exp'])
  const aud = String(claims['aud'])
  const iss = String(claims['iss'])
  const [goodHeader, goodPayload, goodSignature] = good.split('.') as [string, string, string]
  const table: [string, string][] = []
  const add = async (name: string, token: string | Promise<string>) => void table.push([name, await token])
  const withHeader = (name: string, change: Claims) => add(name, forge(claims, { header: change }))
  const withClaims = (name: string, change: Claims) => add(name, forge(claims, { claims: change }))

  // alg: RFC 8725 §3.1.
  const nones = [...spellingsOf('none'), 'none ', '', null, 0, true, false, [], {}, ['none'], undefined]
  for (const alg of nones) {
    await add(`alg ${JSON.stringify(alg)}, unsigned`, forge(claims, { header: { alg }, sign: unsigned }))
    await add(`alg ${JSON.stringify(alg)}, signed`, forge(claims, { header: { alg } }))
  }
  const spellings = [
    'eddsa',
    'EDDSA',
    'EdDSA ',
    'Ed25519',
    'Ed448',
    'es256',
    'ES256',
    'ES256K',
    'ES384',
    'ES512',
    'PS256',
  ]
  for (const alg of spellings) await withHeader(`alg ${alg}, signed by ed`, { alg })
  for (const alg of [['EdDSA'], ['EdDSA', 'HS256'], { alg: 'EdDSA' }, 256]) {
    await withHeader(`alg ${JSON.stringify(alg)}`, { alg })
  }
  for (const kid of ['ed', 'ec', 'rsa', undefined]) {
    await add(`alg RS256, kid ${kid}`, forge(claims, { header: { alg: 'RS256', kid }, sign: withRsa }))
  }
  for (const [form, secret] of await publicKeyForms()) {
    for (const bits of [256, 384, 512] as const) {
      const kid = form.slice(0, 2)
      const change = { alg: `HS${bits}`, kid }
      await add(
        `HS${bits} keyed with the public key ${form}`,
        forge(claims, { header: change, sign: withHmac(secret, bits) }),
      )
    }
  }
  await add('the key of another algorithm', forge(claims, { header: { alg: 'ES256', kid: 'ec' } }))
  await add('the kid of the other key', forge(claims, { header: { kid: 'ec' } }))

  // typ: RFC 9068 §4.
  const types = [
    'JWT',
    'jwt',
    'at-jwt',
    'at+jwt ',
    'rt+jwt',
    'activation+jwt',
    'reset+jwt',
    'device+jwt',
    'id+jwt',
    'dpop+jwt',
    'application/jwt',
    '',
  ]
  for (const typ of [...types, null, 7, ['at+jwt'], {}, undefined])
    await withHeader(`typ ${JSON.stringify(typ)}`, { typ })

  // kid and everything else that names a key: RFC 8725 §3.10.
  const kids = [
    '../../dev/null',
    '/dev/null',
    '..%2f..%2fdev%2fnull',
    "' OR 1=1--",
    "x' UNION SELECT 'a",
    'ed; drop table users',
    '__proto__',
    'constructor',
    'toString',
    'ED',
    'ed ',
    'ed\0',
    '',
    'https://evil.example/key',
    'k'.repeat(10_000),
    'unknown',
    'test-token',
  ]
  const oddKids = [null, 0, 1, true, ['ed'], { kid: 'ed' }, [], undefined]
  for (const kid of [...kids, ...oddKids]) {
    const name = `kid ${(JSON.stringify(kid) ?? 'missing').slice(0, 40)}`
    await withHeader(name, { kid })
    await add(`${name}, by a stranger`, forge(claims, { header: { kid }, sign: withAttacker }))
  }
  const url = 'https://evil.example/jwks.json'
  const pointers: Claims[] = [
    { jwk: attackerJwk },
    { jku: url },
    { x5u: url },
    { x5c: ['MIIB'] },
    { x5t: 'AAAA' },
    { 'x5t#S256': 'AAAA' },
    { jku: 'http://169.254.169.254/latest/meta-data' },
    { crit: ['exp'] },
    { crit: ['b64'], b64: false },
    { crit: ['b64'], b64: true },
    { crit: [] },
    { crit: 'exp' },
    { crit: null },
    { b64: false },
    { zip: 'DEF' },
    { cty: 'JWT' },
    { enc: 'A256GCM' },
    { p2c: 2_000_000_000, p2s: 'AAAA' },
  ]
  for (const change of pointers) {
    const name = JSON.stringify(change).slice(0, 60)
    await withHeader(`header ${name}`, change)
    await add(`header ${name}, by a stranger`, forge(claims, { header: change, sign: withAttacker }))
    await add(
      `header ${name}, by a stranger, no kid`,
      forge(claims, { header: { ...change, kid: undefined }, sign: withAttacker }),
    )
  }

  // iss and aud: RFC 8725 §3.8, §3.9.
  const issuers = [
    'https://evil.example',
    `${iss}/`,
    iss.toUpperCase(),
    iss.replace('https', 'http'),
    ` ${iss}`,
    '',
    [iss],
    { iss },
    null,
    7,
    true,
    undefined,
  ]
  for (const value of issuers) await withClaims(`iss ${JSON.stringify(value)}`, { iss: value })
  const audiences = [
    'another',
    `${aud}/`,
    aud.toUpperCase(),
    `${aud} `,
    '*',
    '',
    iss,
    [],
    [[aud]],
    ['another'],
    [aud.toUpperCase()],
    { [aud]: true },
    null,
    7,
    true,
    undefined,
  ]
  for (const value of audiences) await withClaims(`aud ${JSON.stringify(value)}`, { aud: value })

  // Of another client: RFC 9068 §5. A grant names a resource as its audience, and no role.
  for (const value of ['another', 'POSTERN', 'postern ', aud + iss, '', null, 7, ['postern'], {}, undefined]) {
    await withClaims(`client_id ${JSON.stringify(value)}`, { client_id: value })
  }
  const granted = { client_id: 'another', aud: 'https://resource.example', role: undefined, scope: 'openid' }
  await withClaims('of a grant', granted)
  await withClaims('of a grant, for us', { ...granted, aud })
  await withClaims('of a grant, for us, with a role', { ...granted, aud, role: 'ADMIN' })

  // How and when the user signed in.
  for (const value of [null, 0.5, '1', '', [], {}]) {
    await withClaims(`auth_time ${JSON.stringify(value)}`, { auth_time: value })
  }
  for (const value of [null, 'pwd', 7, [], [7], [''], [['pwd']], {}]) {
    await withClaims(`amr ${JSON.stringify(value)}`, { amr: value })
  }
  for (const value of [null, '', 7, [], ['phr'], {}]) await withClaims(`acr ${JSON.stringify(value)}`, { acr: value })

  // Times.
  const times: Record<string, unknown[]> = {
    exp: [
      iat,
      iat - 1,
      1,
      0,
      -1,
      -exp,
      exp + 1,
      exp + 86_400,
      253_402_300_799,
      String(exp),
      '9999999999',
      null,
      true,
      false,
      [],
      [exp],
      {},
      exp + 0.5,
      1e308,
      undefined,
    ],
    nbf: [iat + 61, exp, 253_402_300_799, 1e308, String(iat), '', null, true, [], [iat], {}],
    iat: [
      iat + 61,
      exp,
      exp + 1,
      253_402_300_799,
      0,
      1,
      iat - 1,
      iat - 86_400,
      -1,
      -iat,
      String(iat),
      null,
      true,
      [],
      [iat],
      {},
      iat + 0.5,
      -1e308,
      1e308,
      undefined,
    ],
  }
  for (const [name, values] of Object.entries(times)) {
    for (const value of values) await withClaims(`${name} ${JSON.stringify(value)}`, { [name]: value })
    for (const number of ['1e400', ...(name === 'nbf' ? [] : ['-1e400', '-0', '1e-400'])]) {
      await add(`${name} ${number}`, forgeNumber(claims, name, number))
    }
  }

  // What the claims must be to name somebody.
  for (const name of ['sub', 'sid', 'jti', 'role']) {
    for (const value of [undefined, null, '', 7, true, [], [claims[name]], { [name]: claims[name] }]) {
      await withClaims(`${name} ${JSON.stringify(value)}`, { [name]: value })
    }
  }
  for (const value of [undefined, null, 7, ['users:read'], {}])
    await withClaims(`scope ${JSON.stringify(value)}`, { scope: value })

  // Signatures: RFC 7515 §5.2.
  const other = await forge(claims, { claims: { role: 'ADMIN', jti: 'other' } })
  const [otherHeader, otherPayload, otherSignature] = other.split('.') as [string, string, string]
  await add('no signature', `${goodHeader}.${goodPayload}.`)
  await add('the signature of another token', `${goodHeader}.${goodPayload}.${otherSignature}`)
  await add('the payload of another token', `${goodHeader}.${otherPayload}.${goodSignature}`)
  await add(
    'a header in another order',
    `${encode({ kid: 'ed', typ: 'at+jwt', alg: 'EdDSA' })}.${goodPayload}.${goodSignature}`,
  )
  await add('a signature cut short', `${goodHeader}.${goodPayload}.${goodSignature.slice(0, -4)}`)
  await add('a signature made longer', `${goodHeader}.${goodPayload}.${goodSignature}AAAA`)
  await add('a signature of zeros', `${goodHeader}.${goodPayload}.${base64url.encode(new Uint8Array(64))}`)
  await add('a stranger’s signature', forge(claims, { sign: withAttacker }))
  for (let place = 0; place < goodPayload.length; place += 16) {
    const letter = goodPayload[place] === 'A' ? 'B' : 'A'
    await add(
      `payload changed at ${place}`,
      `${goodHeader}.${goodPayload.slice(0, place)}${letter}${goodPayload.slice(place + 1)}.${goodSignature}`,
    )
  }

  // Forms.
  const flattened = JSON.stringify({ protected: goodHeader, payload: goodPayload, signature: goodSignature })
  const general = JSON.stringify({
    payload: goodPayload,
    signatures: [{ protected: goodHeader, signature: goodSignature }],
  })
  const forms: [string, string][] = [
    ['nothing', ''],
    ['one segment', goodHeader],
    ['two segments', `${goodHeader}.${goodPayload}`],
    ['four segments', `${good}.${goodSignature}`],
    ['five segments', `${good}.${goodPayload}.${goodSignature}`],
    [
      'a JWE',
      `${encode({ alg: 'dir', enc: 'A256GCM', typ: 'at+jwt', kid: 'ed' })}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`,
    ],
    ['JWS JSON, flattened', flattened],
    ['JWS JSON, general', general],
    ['JWS JSON, flattened, in base64url', encode(flattened)],
    ['only dots', '..'],
    ['a dot in front', `.${good}`],
    ['a dot behind', `${good}.`],
    ['in quotes', `"${good}"`],
    ['twice', `${good} ${good}`],
    ['in a list', `${good}, ${good}`],
    ['with a space inside', `${goodHeader}. ${goodPayload}.${goodSignature}`],
    ['a detached payload', `${goodHeader}..${goodSignature}`],
    ['a header that is no JSON', `${base64url.encode('{')}.${goodPayload}.${goodSignature}`],
    ['a header that is a list', `${encode([])}.${goodPayload}.${goodSignature}`],
    ['a header that is null', `${base64url.encode('null')}.${goodPayload}.${goodSignature}`],
    ['a header of another token kind', `${otherHeader}.${goodPayload}.`],
    ['a payload that is no object', await compact(header, [], withEd25519)],
    ['a payload that is text', await compact(header, '"x"', withEd25519)],
    ['a payload that is null', await compact(header, 'null', withEd25519)],
    ['a payload that is no JSON', await compact(header, '{"sub":', withEd25519)],
    ['a payload that is no UTF-8', `${encode(header)}.${base64url.encode(new Uint8Array([0xff, 0xfe]))}.AAAA`],
    ['a megabyte of text', 'a'.repeat(1_000_000)],
    ['a megabyte of dots', '.'.repeat(1_000_000)],
    ['a megabyte of claims', await forge(claims, { claims: { padding: 'x'.repeat(1_000_000) } })],
    ['a megabyte of header', await forge(claims, { header: { padding: 'x'.repeat(1_000_000) } })],
    ['deep claims', await compact(header, `{"a":${'['.repeat(900)}${']'.repeat(900)}}`, withEd25519)],
    ['a bearer inside a bearer', `Bearer ${good}`],
    ['a number', '7'],
    ['null', 'null'],
    ['undefined', 'undefined'],
  ]
  return [...table, ...forms]
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The same token in other letters: base64url has bits that nobody reads. */
export function respellings(token: string): [string, string][] {
  const [header, payload, signature] = token.split('.') as [string, string, string]
  const spare = (segment: string): string[] => {
    const unread = segment.length % 4 === 2 ? 4 : segment.length % 4 === 3 ? 2 : 0
    const value = alphabet.indexOf(segment.at(-1)!)
    return Array.from(
      { length: 1 << unread },
      (_, bits) => segment.slice(0, -1) + alphabet[((value >> unread) << unread) + bits],
    )
  }
  const standard = token.replaceAll('-', '+').replaceAll('_', '/')
  return [
    ['as it is', token],
    ...spare(signature).map((spelled, bits): [string, string] => [
      `spare bits ${bits}`,
      `${header}.${payload}.${spelled}`,
    ]),
    ...spare(payload).map((spelled, bits): [string, string] => [
      `spare payload bits ${bits}`,
      `${header}.${spelled}.${signature}`,
    ]),
    ['padded', `${token}==`],
    ['padded once', `${token}=`],
    ['padded everywhere', `${header}==.${payload}==.${signature}==`],
    ['in the other alphabet', standard],
    ['with a space behind', `${token} `],
    ['with spaces in front', `  ${token}`],
    ['with a tab behind', `${token}\t`],
    ['in capitals', token.toUpperCase()],
  ]
}
