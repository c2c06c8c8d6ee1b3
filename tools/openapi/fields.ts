/** Schemas of the fields in answers. */
import { maxUserAgents, retention } from '../../src/config/policy.ts'
import { inDays, inWords } from './limits.ts'
import * as z from 'zod'

export const id = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  .meta({ format: 'uuid', description: 'A UUIDv7.' })

export const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  .meta({ format: 'date-time', description: 'RFC 3339, in UTC with milliseconds.' })

export const email = z
  .string()
  .max(254)
  .meta({ format: 'email', description: 'In lower case, with the domain in Punycode.' })

export const jwt = z
  .string()
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  .meta({ description: 'A JWT.' })

export const ip = z.string().nullable().meta({
  description: 'The IPv4 address of the client, or its IPv6 address in the spelling of RFC 5952, if known.',
})

export const country = z.string().nullable().meta({
  description:
    'The country of that address according to Cloudflare: ISO 3166-1 alpha-2, `T1` for Tor, or `null` if unknown.',
})

export const userAgent = z
  .string()
  .max(256)
  .nullable()
  .meta({
    description: `The \`User-Agent\` of the client, cut to 256 characters, if somebody signed in with it in the last ${inDays(retention.userAgents)}; otherwise \`other\`. Of ${inWords(maxUserAgents)} such texts at most. \`null\` for a request without one.`,
  })

export const nextCursor = z
  .string()
  .nullable()
  .meta({ description: 'The `cursor` of the next page; `null` on the last page.' })
