/** Acts of a user with a permission on other users. */
import * as z from 'zod/mini'
import { isUuidv7 } from '../crypto/random.ts'
import { normalizeEmailAddress } from '../email-address.ts'
import { permit, permitReading } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { valid } from '../http/validate.ts'
import { assignRole, endSessionsOfUser, reinstateUser, suspendUser } from '../services/administration/access.ts'
import {
  activateUser,
  deleteOtherAccount,
  moderateProfile,
  startPasswordReset,
} from '../services/administration/accounts.ts'
import { liftEmailSuppression } from '../services/administration/email-suppression.ts'
import { resetFactors } from '../services/administration/factors.ts'
import { getSessions, getUser, listUsers } from '../services/administration/users.ts'
import { userStatuses } from '../store/schema/users.ts'
import { accepted, administeredUserAnswer, sessionAnswer } from './answers.ts'
import { emailPrefix, idParam, noParameters, reason, role } from './fields.ts'
import { cursor, encodeCursor, limit, readCursor } from './pagination.ts'
import { profile, profileChanges } from './profile.ts'

const userList = z.object({
  email: z.optional(emailPrefix),
  role: z.optional(role),
  status: z.optional(z.enum(userStatuses)),
  limit,
  cursor,
})

const isAddress = (position: string) => normalizeEmailAddress(position) === position

export const administrationRoutes = new Hono<HttpEnv>()
  .get('/', permitReading('users:read'), valid('query', userList), async (c) => {
    const { email, role, status, limit, cursor } = c.req.valid('query')
    const listing = { list: 'users', email, role, status }
    const after = await readCursor(listing, cursor, email === undefined ? isUuidv7 : isAddress)
    const page = await listUsers(c.get('ctx'), { emailPrefix: email, role, status, after }, limit)
    return c.json({
      users: page.items.map(administeredUserAnswer),
      next_cursor: await encodeCursor(listing, page.next),
    })
  })
  .get('/:id', permitReading('users:read'), valid('param', idParam), async (c) =>
    c.json(administeredUserAnswer(await getUser(c.get('ctx'), c.req.valid('param').id))),
  )
  .patch('/:id/profile', permit('profiles:moderate'), valid('param', idParam), valid('json', profile), async (c) => {
    const changes = profileChanges(c.req.valid('json'))
    return c.json(
      administeredUserAnswer(await moderateProfile(c.get('ctx'), c.get('actor'), c.req.valid('param').id, changes)),
    )
  })
  .post('/:id/activate', permit('users:activate'), valid('param', idParam), async (c) =>
    c.json(administeredUserAnswer(await activateUser(c.get('ctx'), c.get('actor'), c.req.valid('param').id))),
  )
  .put(
    '/:id/role',
    permit('users:assign-role'),
    valid('param', idParam),
    valid('json', z.object({ role })),
    async (c) => {
      const { role } = c.req.valid('json')
      return c.json(
        administeredUserAnswer(await assignRole(c.get('ctx'), c.get('actor'), c.req.valid('param').id, role)),
      )
    },
  )
  .post(
    '/:id/suspend',
    permit('users:suspend'),
    valid('param', idParam),
    valid('json', z.object({ reason })),
    async (c) => {
      const { reason } = c.req.valid('json')
      return c.json(
        administeredUserAnswer(await suspendUser(c.get('ctx'), c.get('actor'), c.req.valid('param').id, reason)),
      )
    },
  )
  .post('/:id/reinstate', permit('users:suspend'), valid('param', idParam), async (c) =>
    c.json(administeredUserAnswer(await reinstateUser(c.get('ctx'), c.get('actor'), c.req.valid('param').id))),
  )
  .post('/:id/password-reset', permit('users:reset-password'), valid('param', idParam), async (c) => {
    await startPasswordReset(c.get('ctx'), c.get('actor'), c.req.valid('param').id)
    return c.json(accepted.passwordReset, 202)
  })
  .get(
    '/:id/sessions',
    permitReading('users:revoke-sessions'),
    valid('param', idParam),
    valid('query', noParameters),
    async (c) => {
      const sessions = await getSessions(c.get('ctx'), c.req.valid('param').id)
      return c.json({ sessions: sessions.map((session) => sessionAnswer(session, c.get('actor').session.id)) })
    },
  )
  .delete(
    '/:id/sessions',
    permit('users:revoke-sessions'),
    valid('param', idParam),
    valid('query', noParameters),
    async (c) => {
      await endSessionsOfUser(c.get('ctx'), c.get('actor'), c.req.valid('param').id)
      return c.body(null, 204)
    },
  )
  .delete(
    '/:id/factors',
    permit('users:reset-factors'),
    valid('param', idParam),
    valid('json', z.object({ reason })),
    async (c) => {
      await resetFactors(c.get('ctx'), c.get('actor'), c.req.valid('param').id, c.req.valid('json').reason)
      return c.body(null, 204)
    },
  )
  .delete('/:id/email-suppression', permit('emails:manage'), valid('param', idParam), async (c) => {
    await liftEmailSuppression(c.get('ctx'), c.get('actor'), c.req.valid('param').id)
    return c.body(null, 204)
  })
  .delete('/:id', permit('users:delete'), valid('param', idParam), async (c) => {
    await deleteOtherAccount(c.get('ctx'), c.get('actor'), c.req.valid('param').id)
    return c.body(null, 204)
  })
