import * as z from 'zod/mini'
import { permitReading } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { valid } from '../http/validate.ts'
import { hourAt } from '../services/audit/archive-name.ts'
import { readArchive } from '../services/audit/archive-page.ts'
import { id, instant } from './fields.ts'
import { cursor, encodeCursor, limit, readCursor } from './pagination.ts'

const archiveQuery = z.object({
  user_id: z.optional(id),
  from: z.optional(instant),
  to: z.optional(instant),
  limit,
  cursor,
})

export const auditArchiveRoutes = new Hono<HttpEnv>().get(
  '/',
  limitRate('auditArchive'),
  permitReading('audit:read'),
  valid('query', archiveQuery),
  async (c) => {
    const { user_id: userId, from, to, limit, cursor } = c.req.valid('query')
    const listing = { list: 'audit-archive', userId, from, to }
    const after = Number((await readCursor(listing, cursor, isNumber)) ?? 0)
    const range = {
      after,
      fromHour: hourAt(Date.parse(from ?? '1970-01-01')),
      toHour: hourAt(Date.parse(to ?? '9999-12-31')),
    }
    const page = await readArchive(c.get('ctx'), range, userId, limit)
    return c.json({ objects: page.items, next_cursor: await encodeCursor(listing, page.next) })
  },
)

function isNumber(text: string): boolean {
  return /^\d{1,15}$/.test(text)
}
