import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { bytesOfUuid, isUuidv7, shardOf, timeOf, uuidOfBytes, uuidv7, uuidv7Floor } from '../../src/crypto/random.ts'

const moments = [
  0,
  1,
  Date.UTC(2000, 0),
  Date.UTC(2026, 10, 22, 12),
  Date.UTC(2099, 11, 31, 23, 59, 59, 999),
  2 ** 48 - 1,
]

/** RFC 9562 §5.7, read back bit by bit. */
function fieldsOf(id: string) {
  const bits = BigInt(`0x${id.replaceAll('-', '')}`)
  return { time: Number(bits >> 80n), version: Number((bits >> 76n) & 0xfn), variant: Number((bits >> 62n) & 0b11n) }
}

describe('an id', () => {
  it.each(moments)('is a UUIDv7 that holds the time it was made at: %i', (time) => {
    for (let round = 0; round < 50; round++) {
      const id = uuidv7(new Date(time))
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
      expect(fieldsOf(id)).toEqual({ time, version: 7, variant: 0b10 })
      expect(isUuidv7(id)).toBe(true)
    }
  })

  it('is unique and uses all of its random bits', () => {
    const ids = Array.from({ length: 2000 }, () => uuidv7(new Date(0)))
    expect(new Set(ids).size).toBe(2000)
    const all = ids.map((id) => BigInt(`0x${id.replaceAll('-', '')}`))
    const everSet = all.reduce((bits, id) => bits | id, 0n)
    const everClear = all.reduce((bits, id) => bits | ~id, 0n)
    const mask = (0xfffn << 64n) | ((1n << 62n) - 1n)
    expect(everSet & mask).toBe(mask)
    expect(everClear & mask).toBe(mask)
  })

  it('sorts by time, both in code and in the database', async () => {
    const times = Array.from({ length: 200 }, (_, index) => Date.UTC(2026, 0) + index * 7)
    const ids = times.map((time) => uuidv7(new Date(time)))
    expect(ids.toSorted()).toEqual(ids)
    const shuffled = ids.toSorted((a, b) => a.slice(-4).localeCompare(b.slice(-4)))
    const { results } = await env.DB.prepare('select value as id from json_each(?) order by value')
      .bind(JSON.stringify(shuffled))
      .all<{ id: string }>()
    expect(results.map(({ id }) => id)).toEqual(ids)
  })

  it('holds the shard that it is given, whatever its time, and all its other bits', () => {
    for (let shard = 0; shard < 4096; shard++) {
      const time = moments[shard % moments.length]!
      const id = uuidv7(new Date(time), shard)
      expect(isUuidv7(id)).toBe(true)
      expect(shardOf(id)).toBe(shard)
      expect(fieldsOf(id)).toEqual({ time, version: 7, variant: 0b10 })
      expect(timeOf(id)).toEqual(new Date(time))
    }
    const ids = Array.from({ length: 2000 }, () => uuidv7(new Date(0), 0))
    expect(new Set(ids).size).toBe(2000)
    const everSet = ids.reduce((bits, id) => bits | BigInt(`0x${id.replaceAll('-', '')}`), 0n)
    expect(everSet & ((1n << 62n) - 1n)).toBe((1n << 62n) - 1n)
  })

  it('has no shard that does not fit', () => {
    for (const shard of [-1, 4096, 0.5, NaN, Infinity]) {
      expect(() => uuidv7(new Date(0), shard), String(shard)).toThrow(RangeError)
    }
  })

  it('is sixteen bytes in their order, and the same id again', () => {
    const digits = (byte: number) => byte.toString(16).padStart(2, '0')
    for (let first = 0; first < 256; first++) {
      const bytes = Uint8Array.from({ length: 16 }, (_, place) => first + place)
      const hex = Array.from(bytes, digits).join('')
      const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
      expect(uuidOfBytes(bytes)).toBe(id)
      expect(bytesOfUuid(id)).toEqual(bytes)
    }
  })

  it('is accepted in its canonical spelling only', () => {
    const id = uuidv7(new Date(0xabcdef))
    for (const other of [id.toUpperCase(), ` ${id}`, `${id}\n`, `{${id}}`, id.replaceAll('-', ''), `urn:uuid:${id}`]) {
      expect(isUuidv7(other), other).toBe(false)
    }
    for (const other of [
      '',
      crypto.randomUUID(),
      `${id.slice(0, 14)}4${id.slice(15)}`,
      `${id.slice(0, 19)}c${id.slice(20)}`,
    ]) {
      expect(isUuidv7(other), other).toBe(false)
    }
  })
})

describe('the floor of a point in time', () => {
  it.each(moments.filter((time) => time > 0 && time < 2 ** 48 - 1))(
    'separates the ids made before %i from those made after',
    (time) => {
      const floor = uuidv7Floor(new Date(time))
      expect(isUuidv7(floor)).toBe(true)
      for (let round = 0; round < 200; round++) {
        expect(uuidv7(new Date(time - 1)) < floor).toBe(true)
        expect(uuidv7(new Date(time)) >= floor).toBe(true)
        expect(uuidv7(new Date(time + 1)) > floor).toBe(true)
      }
    },
  )
})
