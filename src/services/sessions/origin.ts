import type { Ctx } from '../../context.ts'
import { userAgentDigest } from '../../crypto/digest.ts'
import { bytesOfIp, networkBytes } from '../../ip-address.ts'
import type { SessionOrigin } from '../../store/rotation.ts'

/** Where a request comes from, as a session keeps it of its last rotation. */
export async function sessionOrigin({ origin: { ip: address, country, userAgent } }: Ctx): Promise<SessionOrigin> {
  const ip = bytesOfIp(address)
  return { ip, country, userAgent, network: networkBytes(ip), userAgentDigest: await userAgentDigest(userAgent) }
}
