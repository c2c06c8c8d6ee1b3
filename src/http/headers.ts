/** `public/_headers` repeats most of these for the static files; a test compares the two. */
export const securityHeaders = {
  // A document that may be cached sets its own.
  'Cache-Control': 'no-store',
  'Strict-Transport-Security': 'max-age=63072000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  // Against embedding in `no-cors` mode. Pages on the CORS list fetch in `cors` mode, where this header does not count.
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy':
    'accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()',
}

const entries = Object.entries(securityHeaders)
const template = new Headers(securityHeaders)

/** Answers that have the headers already. */
const secured = new WeakSet<Response>()

/** A 204 to start from, for the hottest call: its headers are copied at once instead of set one by one. */
export function secureNoContent(): Response {
  const answer = new Response(null, { status: 204, headers: template })
  secured.add(answer)
  return answer
}

/**
 * Keeps API answers out of caches, frames, MIME sniffing and pages of other sites. Not Hono's `secureHeaders`: it has
 * no Cache-Control, and seven headers that would have to be turned off one by one.
 */
export function addSecurityHeaders(answer: Response): void {
  if (secured.has(answer)) return
  const { headers } = answer
  for (const [name, value] of entries) if (!headers.has(name)) headers.set(name, value)
}
