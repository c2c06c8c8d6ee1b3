import type { Origin } from '../context.ts'
import { isRequestId } from '../request-id.ts'

const maxUserAgentLength = 256

/**
 * Where a request comes from. A request id of the client is taken if it is harmless in logs and headers (Hono's
 * `requestId` allows other characters than we document). The address comes only from `CF-Connecting-IP`: Cloudflare
 * sets it, while any client can send the other headers.
 */
export function originOf({ headers, cf }: Request): Origin {
  const requestId = headers.get('X-Request-Id')
  const country = (cf as { country?: unknown } | undefined)?.country
  return {
    requestId: requestId !== null && isRequestId(requestId) ? requestId : crypto.randomUUID(),
    ip: headers.get('CF-Connecting-IP'),
    country: typeof country === 'string' ? country : null,
    userAgent: printable(headers.get('User-Agent')),
  }
}

/** Without control characters, because it is shown in session lists, emails and audit events. */
function printable(text: string | null): string | null {
  if (!text) return null
  return text.slice(0, maxUserAgentLength).replace(/\p{C}/gu, ' ').trim() || null
}
