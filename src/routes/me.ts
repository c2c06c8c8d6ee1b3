/** The signed-in user's own account. */
import * as z from 'zod/mini'
import { isUuidv7 } from '../crypto/random.ts'
import { authenticate, authenticateForPassword, authenticateForReading, requireToken } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { valid } from '../http/validate.ts'
import { listActivity } from '../services/audit/activity.ts'
import { deleteOwnAccount } from '../services/accounts/deletion.ts'
import { updateOwnProfile } from '../services/accounts/profile.ts'
import { endOtherSessions, endSession, listSessions } from '../services/sessions/own-sessions.ts'
import { activityAnswer, sessionAnswer, userAnswer } from './answers.ts'
import { idParam, locale, noParameters, ownPassword } from './fields.ts'
import { cursor, encodeCursor, limit, readCursor } from './pagination.ts'
import { profile, profileChanges } from './profile.ts'

const ownProfile = z.object({ ...profile.shape, locale: z.optional(z.nullable(locale)) })

export const meRoutes = new Hono<HttpEnv>()
  .get('/', authenticateForReading, (c) => c.json(userAnswer(c.get('actor').user)))
  .patch('/', authenticate, valid('json', ownProfile), async (c) => {
    const { locale, ...rest } = c.req.valid('json')
    const user = await updateOwnProfile(c.get('ctx'), c.get('actor'), { ...profileChanges(rest), locale })
    return c.json(userAnswer(user))
  })
  .delete(
    '/',
    limitRate('ownPassword'),
    requireToken,
    valid('json', z.object({ password: ownPassword })),
    authenticateForPassword('password'),
    async (c) => {
      await deleteOwnAccount(c.get('ctx'), c.get('passwordActor'), c.req.valid('json').password)
      return c.body(null, 204)
    },
  )
  .get('/activity', authenticateForReading, valid('query', z.object({ limit, cursor })), async (c) => {
    const { limit, cursor } = c.req.valid('query')
    const { id } = c.get('actor').user
    const listing = { list: 'activity', of: id }
    const page = await listActivity(c.get('ctx'), id, await readCursor(listing, cursor, isUuidv7), limit)
    return c.json({ events: page.items.map(activityAnswer), next_cursor: await encodeCursor(listing, page.next) })
  })
  .get('/sessions', authenticateForReading, valid('query', noParameters), async (c) => {
    const actor = c.get('actor')
    const sessions = await listSessions(c.get('ctx'), actor)
    return c.json({ sessions: sessions.map((session) => sessionAnswer(session, actor.session.id)) })
  })
  .delete('/sessions', authenticate, valid('query', noParameters), async (c) => {
    await endOtherSessions(c.get('ctx'), c.get('actor'))
    return c.body(null, 204)
  })
  .delete('/sessions/:id', authenticate, valid('param', idParam), async (c) => {
    await endSession(c.get('ctx'), c.get('actor'), c.req.valid('param').id)
    return c.body(null, 204)
  })
