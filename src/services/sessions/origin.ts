import type { Ctx } from '../../context.ts'
import { networkOf } from '../../ip-address.ts'
import type { SessionOrigin } from '../../store/rotation.ts'

/** Where a request comes from, as a session keeps it of its last rotation. */
export function sessionOrigin({ origin: { ip, country, userAgent } }: Ctx): SessionOrigin {
  return { ip, country, userAgent, network: networkOf(ip) }
}
