import { createHash } from 'node:crypto'
import { bytesOfIp, networkBytes } from '../../src/ip-address.ts'
import type { Random } from './random.ts'
import { places, userAgents } from './words.ts'

/** Where a sign-in or another act came from, as rows hold it. */
export interface Origin {
  ip: Uint8Array<ArrayBuffer>
  country: string
  userAgentId: number
}

export interface SessionOrigin extends Origin {
  network: Uint8Array<ArrayBuffer>
  userAgentDigest: Uint8Array<ArrayBuffer>
}

/** @param numberOf the number of a user agent in the database */
export function originsOf(numberOf: (userAgent: string) => number) {
  const networks = places.map(([prefix, country]) => ({ ip: bytesOfIp(`${prefix}1`)!, country }))
  const agents = userAgents.map((text) => ({ userAgentId: numberOf(text), userAgentDigest: digestOf(text) }))
  return {
    any: (random: Random): Origin => {
      const { ip, country } = random.of(networks)
      return { ip: ip.with(ip.length - 1, 1 + random.below(254)), country, userAgentId: random.of(agents).userAgentId }
    },
    ofSession: ({ ip, country, userAgentId }: Origin): SessionOrigin => {
      const { userAgentDigest } = agents.find((agent) => agent.userAgentId === userAgentId)!
      return { ip, country, userAgentId, userAgentDigest, network: networkBytes(ip)! }
    },
  }
}

/** As `userAgentDigest` of src/crypto/digest.ts, without its promise. */
function digestOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash('sha256').update(text).digest().subarray(0, 8))
}
