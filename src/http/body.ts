import type { HonoRequest } from 'hono'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../errors.ts'
import type { HttpEnv } from './env.ts'

const maxBytes = 16 * 1024
/**
 * Keep reading a chunked body before refusing it: a client that is still sending would never see our 413. Cloudflare
 * itself refuses larger bodies.
 */
const maxReceivedBytes = 100 * 1024 * 1024

/**
 * Refuses a larger body, with or without a Content-Length, before it is parsed. Not Hono's `bodyLimit`, which stops reading
 * at the limit. The body of a GET or HEAD means nothing (RFC 9110 §9.3.1) and is not looked at: gateways that ask
 * `GET /auth/verify` send the length, or all, of the body of the request that they ask about.
 *
 * @throws {AppError} `body_too_large`; `malformed_json` for one that breaks off
 */
export const limitBody = createMiddleware<HttpEnv>(async function limitBody(c, next) {
  const { method, body, headers } = c.req.raw
  if (method === 'GET' || method === 'HEAD') return next()
  // Content-Length next to Transfer-Encoding is ignored: it is wrong, or request smuggling (RFC 9112 §6.3).
  const length = headers.has('Transfer-Encoding') ? NaN : parseInt(headers.get('Content-Length') ?? '', 10)
  if (length > maxBytes) throw new AppError('body_too_large')
  if (body && Number.isNaN(length)) {
    const received = { body: await receive(body) }
    c.req.raw = new Request(c.req.raw, received)
  }
  await next()
})

async function receive(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const received = new Uint8Array(maxBytes)
  let length = 0
  try {
    for await (const chunk of body) {
      if (length + chunk.byteLength <= maxBytes) received.set(chunk, length)
      length += chunk.byteLength
      if (length > maxReceivedBytes) break
    }
  } catch (error) {
    throw brokenOff(error)
  }
  if (length > maxBytes) throw new AppError('body_too_large')
  return received.subarray(0, length)
}

/**
 * The whole body. It can be read more than once.
 *
 * @throws {AppError} `malformed_json` for one that breaks off
 */
export async function readBody(req: HonoRequest): Promise<ArrayBuffer> {
  try {
    return await req.arrayBuffer()
  } catch (error) {
    throw brokenOff(error)
  }
}

/** The client or its connection went away. */
function brokenOff(cause: unknown): AppError {
  return new AppError('malformed_json', { reason: 'broken_off', cause })
}

/**
 * Checks strictly that a body is JSON, before the validator sees it: 415 for another media type or a content coding
 * (RFC 9110 §15.5.16), which also stops CSRF by forms (OWASP ASVS 3.5.2); 400 for broken UTF-8 or JSON.
 *
 * @throws {AppError} `unsupported_media_type`, `malformed_json`
 */
export async function assertJson(req: HonoRequest): Promise<void> {
  const bytes = await readBody(req)
  const isPlain = isIdentity(req.header('Content-Encoding')) && isJson(req.header('Content-Type'))
  if (bytes.byteLength > 0 && !isPlain) throw new AppError('unsupported_media_type')
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch {
    throw new AppError('malformed_json')
  }
}

function isJson(contentType: string | undefined): boolean {
  const [mediaType] = (contentType ?? '').split(';')
  return mediaType!.trim().toLowerCase() === 'application/json'
}

function isIdentity(contentEncoding: string | undefined): boolean {
  return contentEncoding === undefined || contentEncoding.toLowerCase() === 'identity'
}
