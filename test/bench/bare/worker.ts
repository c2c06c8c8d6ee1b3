/**
 * The least that the hot calls need, with the same libraries and stores: what `npm run bench` compares the Worker with.
 * It has no log, no headers of its own, no limits and no reasons.
 */
import { Hono } from 'hono'
import { readAccessToken } from './access-token.ts'
import { bytesOf } from './bytes.ts'
import { hash } from './hash.ts'
import type { BareEnv } from './keys.ts'
import { refresh } from './refresh.ts'

const selectUser = `select email, role, status, first_name, last_name, avatar_url, bio, locale, updated_at, activated_at,
  last_login_at from users where id = ?`

const app = new Hono<{ Bindings: BareEnv }>()
  .get('/auth/verify', async (c) => {
    const { sub, sid, role, scope } = await readAccessToken(c.env, c.req.header('Authorization'))
    if ((await c.env.REVOCATIONS.get(`session:${String(sid)}`)) !== null) return c.body(null, 401)
    return c.body(null, 204, {
      'X-Auth-User-Id': String(sub),
      'X-Auth-Session-Id': String(sid),
      'X-Auth-Role': String(role),
      'X-Auth-Scope': String(scope),
    })
  })
  .get('/users/me', async (c) => {
    const { sub } = await readAccessToken(c.env, c.req.header('Authorization'))
    const user = await c.env.DB.prepare(selectUser)
      .bind(bytesOf(String(sub)))
      .first()
    return user ? c.json({ id: sub, ...user }) : c.body(null, 401)
  })
  .post('/auth/refresh', async (c) => {
    const { refresh_token: token } = await c.req.json<{ refresh_token: string }>()
    const answer = await refresh(c.env, token)
    return answer ? c.json(answer) : c.body(null, 401)
  })
  .post('/auth/login', async (c) => {
    const { password } = await c.req.json<{ password: string }>()
    await hash(password)
    return c.body(null, 200)
  })

// oxlint-disable-next-line import/no-default-export -- the platform asks for it
export default app
