import { createMiddleware } from 'hono/factory'
import type { HttpEnv } from './env.ts'

const headers = {
  // The few documents that may be kept say so themselves.
  'Cache-Control': 'no-store',
  'Strict-Transport-Security': 'max-age=63072000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  // For what is embedded without asking (`no-cors`). A page on the CORS list asks, and is judged by that list alone.
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy':
    'accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()',
}

/** An API answer is for the program that asked: not for a cache, a frame, a sniffing browser or another site's page. */
export const secureHeaders = createMiddleware<HttpEnv>(async function secureHeaders(c, next) {
  await next()
  for (const [name, value] of Object.entries(headers)) if (!c.res.headers.has(name)) c.header(name, value)
})
