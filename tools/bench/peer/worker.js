/** Better Auth with its session look-up on D1, as its documents set it up, for `npm run bench`. */
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'

const sessionCount = 20

function settings(env) {
  return {
    database: env.DB,
    baseURL: env.PUBLIC_URL,
    secret: 'only-for-measuring-4f1c0b7be2',
    emailAndPassword: { enabled: true },
    // It would count, and refuse, all requests of this machine together.
    rateLimit: { enabled: false },
  }
}

let auth

/** Makes the tables and signs people up. Answers with a cookie of each. */
async function prepare(env) {
  const { runMigrations } = await getMigrations(settings(env))
  await runMigrations()
  const cookies = []
  for (let place = 0; place < sessionCount; place++) {
    const body = { name: 'Ada Lovelace', email: `ada.${place}@example.com`, password: 'heron-copper-lantern-41' }
    const { headers } = await auth.api.signUpEmail({ body, returnHeaders: true })
    cookies.push(headers.getSetCookie()[0].split(';')[0])
  }
  return Response.json(cookies)
}

// oxlint-disable-next-line import/no-default-export -- the platform asks for it
export default {
  fetch(request, env) {
    auth ??= betterAuth(settings(env))
    return new URL(request.url).pathname === '/prepare' ? prepare(env) : auth.handler(request)
  },
}
