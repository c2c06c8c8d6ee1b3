import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../errors.ts'
import type { HttpEnv } from './env.ts'

const maxBodyBytes = 16 * 1024

/** Refuses a larger body, with or without a Content-Length. */
export const limitBody = bodyLimit({
  maxSize: maxBodyBytes,
  onError: () => {
    throw new AppError('body_too_large')
  },
})

/**
 * Reads the body of a JSON route, strictly: another media type is a 415 (which also closes CSRF by form, OWASP ASVS
 * 3.5.2), broken UTF-8 or JSON a 400. Only then does the validator look at it.
 */
export const readJson = createMiddleware<HttpEnv>(async function readJson(c, next) {
  const bytes = await c.req.arrayBuffer()
  if (bytes.byteLength > 0 && !isJson(c.req.header('Content-Type'))) throw new AppError('unsupported_media_type')
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch {
    throw new AppError('malformed_json')
  }
  await next()
})

function isJson(contentType: string | undefined): boolean {
  const [mediaType] = (contentType ?? '').split(';')
  return mediaType!.trim().toLowerCase() === 'application/json'
}
