import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCborMap, readCbor } from '../../../src/crypto/webauthn/cbor.ts'
import { importCoseKey } from '../../../src/crypto/webauthn/cose-key.ts'
import { rawSignatureOf } from '../../../src/crypto/webauthn/der-signature.ts'
import { type Cbor, encodeCbor, fromHex } from '../../support/authenticator.ts'

const simple = fc.oneof(
  fc.maxSafeInteger().filter((number) => Math.abs(number) < 2 ** 32),
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
)
const key = fc.oneof(fc.integer(), fc.string())
const { value: anything } = fc.letrec<{ value: Cbor }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    simple,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
}))

describe('CBOR', () => {
  it('reads what the test authenticator writes', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const bytes = encodeCbor(value)
        expect(readCbor(bytes)).toEqual({ value, end: bytes.length })
      }),
    )
  })

  it.each([
    ['nothing', ''],
    ['an array of indefinite length', '9f01ff'],
    ['a map of indefinite length', 'bf616101ff'],
    ['a string of indefinite length', '7f6161ff'],
    ['bytes of indefinite length', '5f4101ff'],
    ['a break alone', 'ff'],
    ['a tag', 'c11a514b67b0'],
    ['a half float', 'f93c00'],
    ['a float', 'fa47c35000'],
    ['a double', 'fb3ff199999999999a'],
    ['undefined', 'f7'],
    ['an unassigned simple value', 'f0'],
    ['a reserved length', '1c'],
    ['a reserved length before bytes', '1c0000000000000001'],
    ['bytes of indefinite length before zeros', '5f0000000000000000'],
    ['a number beyond 2^53', '1b0020000000000000'],
    ['a string longer than the bytes', '6461'],
    ['an array longer than the bytes', '9b000fffffffffffff'],
    ['a map longer than the bytes', 'bb000fffffffffffff'],
    ['a string that is no UTF-8', '61ff'],
    ['a key twice', 'a201020103'],
    ['a key in two spellings', 'a20102180103'],
    ['bytes as a key', 'a1410102'],
    ['an array as a key', 'a18002'],
    ['ten arrays in each other', `${'81'.repeat(9)}80`],
    ['ten maps in each other', `${'a100'.repeat(9)}a0`],
  ])('is refused: %s', (_, hex) => {
    expect(() => readCbor(fromHex(hex))).toThrow()
  })

  it.each([
    ['nine arrays in each other', `${'81'.repeat(8)}80`],
    ['nine maps in each other', `${'a100'.repeat(8)}a0`],
    ['the largest number', '1b001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['a text with a byte order mark', '64efbbbf61', '\ufeffa'],
  ])('is read: %s', (_, hex, value?: Cbor) => {
    const bytes = fromHex(hex)
    const read = readCbor(bytes)
    expect(read.end).toBe(bytes.length)
    if (value !== undefined) expect(read.value).toBe(value)
  })

  it('is refused when bytes are left over, or when it is no map', () => {
    expect(decodeCborMap(fromHex('a10102'))).toEqual(new Map([[1, 2]]))
    expect(() => decodeCborMap(fromHex('a1010200'))).toThrow()
    expect(() => decodeCborMap(fromHex('820102'))).toThrow()
  })

  it('ends for any bytes, in a value or an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          return readCbor(new Uint8Array(bytes)).end <= bytes.length
        } catch (error) {
          return error instanceof Error
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a COSE key', () => {
  const x = fromHex('5903adb6e8e7f7b4fdd7a0a7d3ca4ed7b9f5e1e51d3a1a6b2f9d6c6f6f6f6f6f')
  const rsa = (n: Cbor, e: Cbor = fromHex('010001')) =>
    encodeCbor(
      new Map<number, Cbor>([
        [1, 3],
        [3, -257],
        [-1, n],
        [-2, e],
      ]),
    )
  const modulus = (bytes: number, first = 0xc1) => new Uint8Array(bytes).fill(0xab).fill(first, 0, 1)

  /** A good key of each algorithm. */
  async function goodKeys(): Promise<[string, Map<number, Cbor>][]> {
    const raw = async (algorithm: { name: string; namedCurve?: string }) => {
      const { publicKey } = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair
      return new Uint8Array((await crypto.subtle.exportKey('raw', publicKey)) as ArrayBuffer)
    }
    const point = await raw({ name: 'ECDSA', namedCurve: 'P-256' })
    const ofPoint: [number, Cbor][] = [
      [-2, point.slice(1, 33)],
      [-3, point.slice(33)],
    ]
    const ofEdwards: [number, Cbor][] = [
      [-1, 6],
      [-2, await raw({ name: 'Ed25519' })],
    ]
    const ofRsa: [number, Cbor][] = [
      [-1, modulus(256)],
      [-2, fromHex('010001')],
    ]
    return [
      ['ES256', new Map<number, Cbor>([[1, 2], [3, -7], [-1, 1], ...ofPoint])],
      ['EdDSA', new Map<number, Cbor>([[1, 1], [3, -8], ...ofEdwards])],
      ['RS256', new Map<number, Cbor>([[1, 3], [3, -257], ...ofRsa])],
    ]
  }

  it('is refused without any of its members, and when one says something else', async () => {
    for (const [name, key] of await goodKeys()) {
      expect((await importCoseKey(encodeCbor(key))).algorithm).toBe(key.get(3))
      for (const [label, value] of key) {
        const other = value instanceof Uint8Array ? value.slice(1) : Number(value) + 1
        const without = new Map([...key].filter(([each]) => each !== label))
        for (const changed of [without, new Map([...key, [label, other]])]) {
          await expect(importCoseKey(encodeCbor(changed)), `${name}, ${label}`).rejects.toThrow()
        }
      }
    }
  })

  it('may have 1,024 bytes, and no more', async () => {
    for (const [name, key] of await goodKeys()) {
      const withMore = (bytes: number) => encodeCbor(new Map([...key, [-70000, new Uint8Array(bytes)]]))
      const room = 1024 - withMore(300).length + 300
      await importCoseKey(withMore(room))
      expect(withMore(room + 1).length).toBe(1025)
      await expect(importCoseKey(withMore(room + 1)), name).rejects.toThrow()
    }
  })

  it('of P-256 has two numbers of 32 bytes, not 64 bytes in two parts', async () => {
    const [[, key]] = (await goodKeys()) as [[string, Map<number, Cbor>]]
    const point = new Uint8Array([...(key.get(-2) as Uint8Array), ...(key.get(-3) as Uint8Array)])
    const cutAt = (place: number) =>
      encodeCbor(new Map([...key, [-2, point.slice(0, place)], [-3, point.slice(place)]]))
    await importCoseKey(cutAt(32))
    for (const place of [31, 33]) await expect(importCoseKey(cutAt(place))).rejects.toThrow()
  })

  it.each<[string, Uint8Array<ArrayBuffer>]>([
    ['of RSA with 2,047 bits', rsa(modulus(256, 0x7f))],
    ['of RSA with 1,024 bits', rsa(modulus(128))],
    ['of RSA with 1,024 bits behind zeros', rsa(new Uint8Array([...new Uint8Array(129), ...modulus(128)]))],
    ['of RSA with 4,104 bits', rsa(modulus(513))],
    ['of RSA with the exponent 3', rsa(modulus(256), fromHex('03'))],
    ['of RSA with the exponent 3 behind zeros', rsa(modulus(256), fromHex('000003'))],
    ['of RSA with a long exponent', rsa(modulus(256), fromHex('0100000001'))],
    ['of RSA with an exponent that is text', rsa(modulus(256), '\u0001\u0000\u0001')],
    ['of RSA with a modulus that is text', rsa('1'.repeat(257))],
    [
      'of P-256 with a point that is not on the curve',
      encodeCbor(
        new Map<number, Cbor>([
          [1, 2],
          [3, -7],
          [-1, 1],
          [-2, x],
          [-3, x],
        ]),
      ),
    ],
    [
      'of P-256 with a compressed point',
      encodeCbor(
        new Map<number, Cbor>([
          [1, 2],
          [3, -7],
          [-1, 1],
          [-2, x],
          [-3, true],
        ]),
      ),
    ],
    [
      'of P-384',
      encodeCbor(
        new Map<number, Cbor>([
          [1, 2],
          [3, -7],
          [-1, 2],
          [-2, x],
          [-3, x],
        ]),
      ),
    ],
    [
      'of Ed25519 with a short x',
      encodeCbor(
        new Map<number, Cbor>([
          [1, 1],
          [3, -8],
          [-1, 6],
          [-2, x.slice(1)],
        ]),
      ),
    ],
    [
      'of Ed448',
      encodeCbor(
        new Map<number, Cbor>([
          [1, 1],
          [3, -8],
          [-1, 7],
          [-2, x],
        ]),
      ),
    ],
    [
      'with a member that makes it long',
      encodeCbor(
        new Map<number, Cbor>([
          [1, 1],
          [3, -8],
          [-1, 6],
          [-2, x],
          [-70000, new Uint8Array(1000)],
        ]),
      ),
    ],
    [
      'without an algorithm',
      encodeCbor(
        new Map<number, Cbor>([
          [1, 1],
          [-1, 6],
          [-2, x],
        ]),
      ),
    ],
  ])('is refused: one %s', async (_, bytes) => {
    await expect(importCoseKey(bytes)).rejects.toThrow()
  })

  it('may be of RSA with 2,048 to 4,096 bits', async () => {
    expect((await importCoseKey(rsa(modulus(256, 0x80)))).algorithm).toBe(-257)
    expect((await importCoseKey(rsa(modulus(512)))).algorithm).toBe(-257)
  })
})

describe('a DER signature', () => {
  const number = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => bytes.some((byte) => byte > 0))

  it('gives r and s back, and has one spelling', () => {
    fc.assert(
      fc.property(number, number, (r, s) => {
        const der = derOf(r, s)
        expect(rawSignatureOf(der)).toEqual(new Uint8Array([...r, ...s]))
        for (let place = 0; place <= der.length; place++) {
          expect(() => rawSignatureOf(new Uint8Array([...der.slice(0, place), 0, ...der.slice(place)]))).toThrow()
          if (place < der.length) expect(() => rawSignatureOf(new Uint8Array([...der].toSpliced(place, 1)))).toThrow()
        }
      }),
    )
  })

  it.each([
    ['a negative number', '3006020180020101'],
    ['a zero', '3006020100020101'],
    ['a zero in front of a small number', '300702020001020101'],
    ['a number without bytes', '30050200020101'],
    ['a number of 33 bytes', `30260221${'01'.repeat(33)}020101`],
  ])('is refused with %s', (_, hex) => {
    expect(() => rawSignatureOf(fromHex(hex))).toThrow()
  })

  it('has a zero in front of the smallest number that needs one', () => {
    expect(rawSignatureOf(fromHex('300702020080020101'))).toEqual(
      new Uint8Array(64).fill(0x80, 31, 32).fill(0x01, 63, 64),
    )
  })

  function derOf(r: Uint8Array, s: Uint8Array): Uint8Array<ArrayBuffer> {
    const parts = [r, s].flatMap((bytes) => {
      const short = [...bytes].slice(bytes.findIndex((byte) => byte > 0))
      const content = short[0]! > 127 ? [0, ...short] : short
      return [2, content.length, ...content]
    })
    return new Uint8Array([48, parts.length, ...parts])
  }
})
