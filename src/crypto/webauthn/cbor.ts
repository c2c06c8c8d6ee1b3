/**
 * The part of CBOR (RFC 8949) that authenticators write (CTAP 2.2 §8): integers, strings, arrays, maps, booleans and
 * null. Tags, floating-point numbers and indefinite lengths are refused. So is a key that a map has twice, because two
 * readers could see two different values.
 */
import { type Bytes, demand } from './malformed.ts'

export type CborValue = number | string | boolean | null | Bytes | CborValue[] | CborMap
export type CborMap = Map<CborValue, CborValue>

/** The deepest in use is the attestation statement of several statements, with five. */
const maxDepth = 8

const simpleValues = new Map<number, CborValue>([
  [20, false],
  [21, true],
  [22, null],
])

/**
 * The item at a place, and the place after it.
 *
 * @throws {Malformed} when there is none
 */
export function readCbor(bytes: Bytes, start = 0): { value: CborValue; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let place = start
  const value = readItem(0)
  return { value, end: place }

  function take(length: number): number {
    demand(length <= bytes.length - place)
    place += length
    return place - length
  }

  function readArgument(info: number): number {
    if (info < 24) return info
    if (info === 24) return view.getUint8(take(1))
    if (info === 25) return view.getUint16(take(2))
    if (info === 26) return view.getUint32(take(4))
    demand(info === 27)
    const argument = Number(view.getBigUint64(take(8)))
    demand(Number.isSafeInteger(argument))
    return argument
  }

  function readItem(depth: number): CborValue {
    demand(depth <= maxDepth)
    const head = view.getUint8(take(1))
    const info = head & 31
    const type = head >> 5
    if (type === 7) {
      const simple = simpleValues.get(info)
      demand(simple !== undefined)
      return simple
    }
    demand(type !== 6)
    const argument = readArgument(info)
    if (type === 0) return argument
    if (type === 1) return -1 - argument
    if (type === 4) return Array.from(countTo(argument), () => readItem(depth + 1))
    if (type === 5) return readMap(argument, depth + 1)
    const content = bytes.slice(take(argument), place)
    return type === 2 ? content : readText(content)
  }

  function readMap(size: number, depth: number): CborMap {
    const map: CborMap = new Map()
    for (const _ of countTo(size)) {
      const key = readItem(depth)
      demand((typeof key === 'number' || typeof key === 'string') && !map.has(key))
      map.set(key, readItem(depth))
    }
    return map
  }
}

/** @throws {Malformed} for anything but one map that is as long as the bytes */
export function decodeCborMap(bytes: Bytes): CborMap {
  const { value, end } = readCbor(bytes)
  demand(value instanceof Map && end === bytes.length)
  return value
}

function readText(bytes: Bytes): string {
  // A decoder drops a byte order mark unless it is told not to: a key with one would equal the key without.
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
}

/** Allocates nothing: the length comes from outside, and may be far larger than the input. */
function* countTo(size: number): Generator<number> {
  for (let place = 0; place < size; place++) yield place
}
