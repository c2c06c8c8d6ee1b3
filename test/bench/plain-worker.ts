/**
 * An answer with the headers of ours, the same log line and the client's country, to nobody in particular: the least that
 * `GET /auth/verify` costs where nothing has to be checked. For `npm run bench`.
 */
import { securityHeaders } from '../../src/http/headers.ts'

const id = '01990000-0000-7000-8000-000000000000'
const claims = { 'X-Auth-User-Id': id, 'X-Auth-Session-Id': id, 'X-Auth-Role': 'USER', 'X-Auth-Scope': 'account:read' }

// oxlint-disable-next-line import/no-default-export -- the platform asks for it
export default {
  fetch(request) {
    const requestId = crypto.randomUUID()
    const line = {
      time: new Date().toISOString(),
      level: 'info',
      event: 'request',
      request_id: requestId,
      method: request.method,
      route: '/auth/verify',
      status: 204,
      outcome: 'ok',
      duration_ms: 0,
      user_id: id,
      country: request.cf?.country,
    }
    // oxlint-disable-next-line no-console -- what a log line costs is measured
    console.info(JSON.stringify(line))
    return new Response(null, { status: 204, headers: { ...securityHeaders, ...claims, 'X-Request-Id': requestId } })
  },
} satisfies ExportedHandler
