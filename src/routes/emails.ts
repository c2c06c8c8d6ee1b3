import * as z from 'zod/mini'
import { isUuidv7 } from '../crypto/random.ts'
import { permitReading } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { valid } from '../http/validate.ts'
import { listOutbox } from '../services/mail/outbox.ts'
import { emailStatuses } from '../store/schema/emails.ts'
import { emailAnswer } from './answers.ts'
import { id } from './fields.ts'
import { cursor, encodeCursor, limit, readCursor } from './pagination.ts'

const emailList = z.object({
  user_id: z.optional(id),
  status: z.optional(z.enum(emailStatuses)),
  limit,
  cursor,
})

export const emailRoutes = new Hono<HttpEnv>().get(
  '/',
  permitReading('emails:read'),
  valid('query', emailList),
  async (c) => {
    const { user_id: userId, status, limit, cursor } = c.req.valid('query')
    const listing = { list: 'emails', userId, status }
    const before = await readCursor(listing, cursor, isUuidv7)
    const page = await listOutbox(c.get('ctx'), { userId, status, before }, limit)
    return c.json({ emails: page.items.map(emailAnswer), next_cursor: await encodeCursor(listing, page.next) })
  },
)
