const text = new TextEncoder()
const [rounds, iterations, bits] = [6, 100_000, 256]

/** 600,000 iterations of PBKDF2, in calls that a deployed Worker accepts. */
export async function hash(password: string): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey('raw', text.encode(password), 'PBKDF2', false, ['deriveBits'])
  let output = new Uint8Array(16)
  for (let round = 0; round < rounds; round++) {
    const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt: output, iterations }
    output = new Uint8Array(await crypto.subtle.deriveBits(parameters, key, bits))
  }
  return output
}
