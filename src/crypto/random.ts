/** 12 bits. All shards are one database for now: number 0. */
const maxShard = 0xfff

/** The shard of new users. */
export const newUserShard = 0

/**
 * A UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, then 74 random bits. Ids sort by the time at which they were made,
 * so a primary key is also an index by age. An id is never a credential.
 *
 * @param shard for the id of a user or a session: takes the place of the first 12 random bits (`rand_a`), so that an id
 *   alone says where its row is. A session is in the shard of its user.
 * @throws {RangeError} for a shard that does not fit
 */
export function uuidv7(now: Date, shard?: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const view = new DataView(bytes.buffer)
  const start = shard ?? view.getUint16(6) & maxShard
  if (!Number.isInteger(start) || start < 0 || start > maxShard) throw new RangeError(`no shard: ${start}`)
  view.setBigUint64(0, (BigInt(now.getTime()) << 16n) | BigInt(0x7000 | start))
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  return format(bytes)
}

/** The shard in the id of a user or a session. In any other id these bits are random. */
export function shardOf(id: string): number {
  return parseInt(id.slice(15, 18), 16)
}

/** The smallest UUIDv7 of a moment: every id made before `now` sorts below it, every later id above. */
export function uuidv7Floor(now: Date): string {
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(now.getTime()) << 16n)
  bytes[6] = 0x70
  bytes[8] = 0x80
  return format(bytes)
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Whether a text is a UUIDv7 in the spelling that we use. */
export function isUuidv7(text: string): boolean {
  return uuidPattern.test(text)
}

/**
 * Whether a text is a UUID of any version, in the spelling that we use: two spellings of one id would be the same row.
 */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}

/** When an id was made, from its first 48 bits. */
export function timeOf(id: string): Date {
  return new Date(parseInt(id.slice(0, 8) + id.slice(9, 13), 16))
}

/** @throws {TypeError} for a text that is no UUID: an id of a wrong length would match no row and give no error */
export function bytesOfUuid(text: string): Uint8Array<ArrayBuffer> {
  if (!isUuid(text)) throw new TypeError(`not a UUID: ${text}`)
  const hex = text.replaceAll('-', '')
  const view = new DataView(new ArrayBuffer(16))
  for (let place = 0; place < 16; place += 4) view.setUint32(place, parseInt(hex.slice(2 * place, 2 * place + 8), 16))
  return new Uint8Array(view.buffer)
}

export function uuidOfBytes(bytes: Uint8Array): string {
  return format(bytes)
}

/** The two hex digits of each byte. */
const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function format(bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += hexDigits[byte]!
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
