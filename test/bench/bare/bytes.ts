/** The sixteen bytes of a UUID, as the database has them. */
export function bytesOf(uuid: string): Uint8Array {
  return Uint8Array.from(uuid.replaceAll('-', '').match(/../g) ?? [], (hex) => parseInt(hex, 16))
}
