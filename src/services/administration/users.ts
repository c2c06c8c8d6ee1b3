import type { Ctx } from '../../context.ts'
import { AppError } from '../../errors.ts'
import { type AdministeredUser, selectAdministeredUser } from '../../store/administered-users.ts'
import { batch } from '../../store/batch.ts'
import { type Page, pageOf } from '../../store/page.ts'
import type { ListedSession } from '../../store/schema/sessions.ts'
import { listSessionsOf } from '../../store/sessions.ts'
import { type UserFilter, listUsers as listUserRows, selectUser } from '../../store/users.ts'

/** A page of users: newest first, or by address when filtered by a prefix of it. */
export async function listUsers(ctx: Ctx, filter: UserFilter, limit: number): Promise<Page<AdministeredUser>> {
  const rows = await listUserRows(ctx.db, filter, limit + 1)
  return pageOf(rows, limit, ({ id, email }) => (filter.emailPrefix === undefined ? id : email))
}

/** @throws {AppError} `not_found` */
export async function getUser(ctx: Ctx, id: string): Promise<AdministeredUser> {
  const [user] = await selectAdministeredUser(ctx.db, id)
  if (!user) throw new AppError('not_found')
  return user
}

/**
 * The sessions of any user, newest first.
 *
 * @throws {AppError} `not_found`
 */
export async function getSessions(ctx: Ctx, id: string): Promise<ListedSession[]> {
  const { user, sessions } = await batch(ctx.db, {
    user: selectUser(ctx.db, id),
    sessions: listSessionsOf(ctx.db, id, ctx.now()),
  })
  if (user.length === 0) throw new AppError('not_found')
  return sessions
}
