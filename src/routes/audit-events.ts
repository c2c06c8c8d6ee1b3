import * as z from 'zod/mini'
import { isUuidv7 } from '../crypto/random.ts'
import { permitReading } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { valid } from '../http/validate.ts'
import { listTrail } from '../services/audit/trail.ts'
import { auditTypes } from '../store/schema/audit.ts'
import { auditEventAnswer } from './answers.ts'
import { id } from './fields.ts'
import { cursor, encodeCursor, limit, readCursor } from './pagination.ts'

const auditList = z.object({
  user_id: z.optional(id),
  type: z.optional(z.enum(auditTypes)),
  limit,
  cursor,
})

export const auditRoutes = new Hono<HttpEnv>().get(
  '/',
  permitReading('audit:read'),
  valid('query', auditList),
  async (c) => {
    const { user_id: userId, type, limit, cursor } = c.req.valid('query')
    const listing = { list: 'audit-events', userId, type }
    const before = await readCursor(listing, cursor, isUuidv7)
    const page = await listTrail(c.get('ctx'), { userId, type, before }, limit)
    return c.json({
      events: page.items.map(auditEventAnswer),
      next_cursor: await encodeCursor(listing, page.next),
      archived_before: page.archivedBefore?.toISOString() ?? null,
    })
  },
)
