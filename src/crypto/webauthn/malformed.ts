/**
 * The bytes are not what the format says. It never leaves this folder: a caller only learns that a response was
 * refused.
 */
export class Malformed extends Error {
  override name = 'Malformed'
}

/** @throws {Malformed} unless the condition holds */
export function demand(condition: boolean): asserts condition {
  if (!condition) throw new Malformed()
}

/** Bytes outside of shared memory: WebCrypto takes no others. */
export type Bytes = Uint8Array<ArrayBuffer>
