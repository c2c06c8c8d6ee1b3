import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Part, isMacOf, macData, openData, sealData } from '../../src/crypto/data-keys.ts'
import type { KeyRing, SecretKey } from '../../src/crypto/keys.ts'

const newer: SecretKey = { kid: '2026-12-01-aaaaaaaa', key: new Uint8Array(32).fill(1) }
const older: SecretKey = { kid: '2025-12-01-bbbbbbbb', key: new Uint8Array(32).fill(2) }
const keys: KeyRing<SecretKey> = [newer, older]
const context = ['totps', '0193a000-0000-7000-8000-000000000001']
const plaintext = new TextEncoder().encode('a seed of 160 bits..')

describe('a sealed value', () => {
  it('is opened with its purpose and context, and is another text each time', async () => {
    const sealed = await sealData(keys, 'totp-seed', context, plaintext)
    expect(await openData(keys, 'totp-seed', context, sealed)).toEqual(plaintext)
    expect(await sealData(keys, 'totp-seed', context, plaintext)).not.toBe(sealed)
    expect(sealed).toMatch(/^2026-12-01-aaaaaaaa\.[\w-]{16}\.[\w-]{48}$/)
  })

  it('may be empty', async () => {
    const sealed = await sealData(keys, 'totp-seed', [], new Uint8Array())
    expect(await openData(keys, 'totp-seed', [], sealed)).toEqual(new Uint8Array())
  })

  it('is refused for another purpose, table, user or number of parts', async () => {
    const sealed = await sealData(keys, 'totp-seed', context, plaintext)
    expect(await openData(keys, 'totp-setup', context, sealed)).toBeUndefined()
    const [table = '', user = ''] = context
    const others = [['users', user], [table, user.replace('1', '2')], [table], [table, user, ''], [table + user], []]
    for (const other of others) expect(await openData(keys, 'totp-seed', other, sealed), other.join()).toBeUndefined()
  })

  it('is refused with any bit of its text flipped', async () => {
    const sealed = await sealData(keys, 'totp-seed', context, plaintext)
    for (const changed of flipped(sealed)) {
      expect(await openData(keys, 'totp-seed', context, changed), changed).toBeUndefined()
    }
  })

  it('is refused with any bit of its bytes flipped', async () => {
    const [kid, iv = '', ciphertext = ''] = (await sealData(keys, 'totp-seed', context, plaintext)).split('.')
    for (const changed of flippedBytes(iv)) {
      expect(await openData(keys, 'totp-seed', context, `${kid}.${changed}.${ciphertext}`)).toBeUndefined()
    }
    for (const changed of flippedBytes(ciphertext)) {
      expect(await openData(keys, 'totp-seed', context, `${kid}.${iv}.${changed}`)).toBeUndefined()
    }
  })

  it('is refused in any other spelling of its bytes, with another part, and with an IV of another length', async () => {
    const sealed = await sealData(keys, 'totp-seed', context, plaintext.subarray(1))
    expect(await openData(keys, 'totp-seed', context, sealed)).toEqual(plaintext.subarray(1))
    for (const text of [...spellings(sealed), `${sealed}.`, `${sealed}.AAAA`]) {
      expect(await openData(keys, 'totp-seed', context, text), text).toBeUndefined()
    }
    const iv = Buffer.alloc(16, 7)
    const cipher = createCipheriv('aes-256-gcm', subkeyOf('totp-seed'), iv).setAAD(lengthPrefixed(context))
    const theirs = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    const text = `${newer.kid}.${iv.toString('base64url')}.${theirs.toString('base64url')}`
    expect(await openData(keys, 'totp-seed', context, text)).toBeUndefined()
  })

  it('is refused under a kid that the ring lacks, and under that of another key', async () => {
    const sealed = await sealData([older], 'totp-seed', context, plaintext)
    expect(await openData([newer], 'totp-seed', context, sealed)).toBeUndefined()
    expect(await openData(keys, 'totp-seed', context, sealed.replace(older.kid, newer.kid))).toBeUndefined()
  })

  it('is sealed by the first key and opened by all', async () => {
    expect(await sealData(keys, 'totp-seed', context, plaintext)).toContain(newer.kid)
    const before = await sealData([older], 'totp-seed', context, plaintext)
    expect(await openData(keys, 'totp-seed', context, before)).toEqual(plaintext)
  })

  it('never throws for a text that is none', async () => {
    const part = fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('', newer.kid, 'A'.repeat(16), '=', 'é'))
    const texts = fc.array(part, { maxLength: 5 }).map((parts) => parts.join('.'))
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        expect(await openData(keys, 'totp-seed', context, text)).toBeUndefined()
        expect(await openData(keys, 'totp-seed', context, `${newer.kid}.${text}`)).toBeUndefined()
        expect(await isMacOf(keys, 'recovery-code', context, text)).toBe(false)
        expect(await isMacOf(keys, 'recovery-code', context, `${newer.kid}.${text}`)).toBe(false)
      }),
    )
  })
})

describe('a MAC', () => {
  it('is that of its purpose and list, and of no other', async () => {
    const mac = await macData(keys, 'passkey-binding', context)
    expect(mac).toMatch(/^2026-12-01-aaaaaaaa\.[\w-]{43}$/)
    expect(await macData(keys, 'passkey-binding', context)).toBe(mac)
    expect(await isMacOf(keys, 'passkey-binding', context, mac)).toBe(true)
    expect(await isMacOf(keys, 'recovery-code', context, mac)).toBe(false)
    expect(await isMacOf(keys, 'passkey-binding', context.toReversed(), mac)).toBe(false)
    expect(await isMacOf(keys, 'passkey-binding', [context.join('')], mac)).toBe(false)
  })

  it('is refused with any bit of its text or bytes flipped, and when it is cut short', async () => {
    const mac = await macData(keys, 'recovery-code', context)
    const [kid, bytes = ''] = mac.split('.')
    const changed = [...flipped(mac), ...flippedBytes(bytes).map((other) => `${kid}.${other}`), `${kid}.`, `${kid}`]
    changed.push(mac.slice(0, -4), `${mac}.`, `${mac}AAAA`, `${mac}.AAAA`, ...spellings(mac))
    for (const text of changed) expect(await isMacOf(keys, 'recovery-code', context, text), text).toBe(false)
  })

  it('is made by the first key and known by all', async () => {
    expect(await macData(keys, 'recovery-code', context)).toContain(newer.kid)
    const before = await macData([older], 'recovery-code', context)
    expect(await isMacOf(keys, 'recovery-code', context, before)).toBe(true)
    expect(await isMacOf([newer], 'recovery-code', context, before)).toBe(false)
    expect(await isMacOf(keys, 'recovery-code', context, before.replace(older.kid, newer.kid))).toBe(false)
  })

  it('is another one for every two lists, wherever the borders of their parts are', async () => {
    const parts = fc.array(fc.oneof(fc.constantFrom('', 'a', 'aa', '\0\0\0\u0001'), fc.string()), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(parts, parts, async (one, other) => {
        const mac = await macData(keys, 'recovery-code', one)
        const isSame = JSON.stringify(one) === JSON.stringify(other)
        expect(await isMacOf(keys, 'recovery-code', other, mac)).toBe(isSame)
      }),
    )
    for (const other of [['ab', ''], ['', 'ab'], ['ab'], ['a', 'b', '']]) {
      expect(await isMacOf(keys, 'recovery-code', other, await macData(keys, 'recovery-code', ['a', 'b']))).toBe(false)
    }
  })
})

// Written from RFC 5869 and SP 800-38D with another library, so that a mistake of ours does not judge itself.
describe('node:crypto', () => {
  it('opens what we seal, and we open what it seals', async () => {
    const subkey = subkeyOf('totp-seed')
    const additional = lengthPrefixed(context)
    const [, iv = '', sealed = ''] = (await sealData(keys, 'totp-seed', context, plaintext)).split('.')
    const bytes = Buffer.from(sealed, 'base64url')
    const decipher = createDecipheriv('aes-256-gcm', subkey, Buffer.from(iv, 'base64url')).setAAD(additional)
    decipher.setAuthTag(bytes.subarray(-16))
    const opened = Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()])
    expect(new Uint8Array(opened)).toEqual(plaintext)

    const theirIv = Buffer.alloc(12, 7)
    const cipher = createCipheriv('aes-256-gcm', subkey, theirIv).setAAD(additional)
    const theirs = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    const text = `${newer.kid}.${theirIv.toString('base64url')}.${theirs.toString('base64url')}`
    expect(await openData(keys, 'totp-seed', context, text)).toEqual(plaintext)
  })

  it('makes the same MAC', async () => {
    const parts: Part[] = ['0193a000-0000-7000-8000-000000000001', new Uint8Array([0, 255]), 'é']
    const mac = createHmac('sha256', subkeyOf('passkey-binding')).update(lengthPrefixed(parts)).digest('base64url')
    expect(await macData(keys, 'passkey-binding', parts)).toBe(`${newer.kid}.${mac}`)
  })
})

function subkeyOf(purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', newer.key, '', purpose, 32))
}

function lengthPrefixed(parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(Buffer.byteLength(part))
      return [length, Buffer.from(part)]
    }),
  )
}

/** Other spellings of the same last bytes, for decoders that ignore padding, white space and the bits that are left over. */
function spellings(text: string): string[] {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const others = alphabet
    .split('')
    .filter((letter) => !text.endsWith(letter))
    .map((letter) => text.slice(0, -1) + letter)
  return [...others, `${text}=`, `${text}==`, `${text} `, `${text}\n`, ` ${text}`]
}

/** Every text that differs from this one in one bit. */
function flipped(text: string): string[] {
  return bitsOf(new TextEncoder().encode(text)).map((bytes) => new TextDecoder().decode(bytes))
}

function flippedBytes(encoded: string): string[] {
  return bitsOf(Buffer.from(encoded, 'base64url')).map((bytes) => Buffer.from(bytes).toString('base64url'))
}

function bitsOf(bytes: Uint8Array): Uint8Array[] {
  return [...bytes].flatMap((byte, place) =>
    Array.from({ length: 8 }, (_, bit) => new Uint8Array(bytes).fill(byte ^ (1 << bit), place, place + 1)),
  )
}
