import { SignJWT, jwtVerify } from 'jose'
import { bytesOf } from './bytes.ts'
import { type BareEnv, keysOf } from './keys.ts'

/** The statements of a refresh, as the Worker sends them. */
const rotate = `update sessions set generation = generation + 1, last_used_at = ?1, expires_at = ?2, ip = ?3, country = ?4,
    user_agent_id = coalesce(nullif(coalesce((select id from user_agents where text = ?5), 0), 0),
      case when user_agent_digest is ?6 then user_agent_id end, 0),
    user_agent_digest = ?6, network = ?7
  where id = ?8 and generation = ?9 and expires_at > ?1
    and exists (select 1 from users where users.id = sessions.user_id and users.status = 1)
  returning *`
const present = `select *, (id = ?1 and generation = ?2 + 1 and coalesce(first_generation, 0) <= ?2 and last_used_at > ?3
    and user_agent_digest is ?4 and not (settled_generation is generation) and repeated_generation is generation
    and (network is ?5 or (strayed_generation = generation and strayed_network is ?5))) as is_served
  from sessions where id = ?1`
const selectUser = 'select * from users where id in (select user_id from sessions where id = ?1)'

const idleMs = 30 * 24 * 60 * 60 * 1000
const [ip, network, digest] = [new Uint8Array(4), new Uint8Array(3), new Uint8Array(8)]
const userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const accessSeconds = 600

/** The answer to a refresh; `null` for a token that was used. */
export async function refresh(env: BareEnv, token: string): Promise<object | null> {
  const keys = await keysOf(env)
  const { PUBLIC_URL: issuer, AUDIENCE: audience } = env
  const { payload } = await jwtVerify(token, keys.secret.key, { algorithms: ['HS256'], typ: 'rt+jwt', issuer })
  const [sid, gen] = [String(payload['sid']), Number(payload['gen'])]
  if ((await env.REVOCATIONS.get(`session:${sid}`)) !== null) return null

  const [id, now] = [bytesOf(sid), Date.now()]
  const [[rotated] = [], , [user] = []] = await rowsOf(env, [
    env.DB.prepare(rotate).bind(now, now + idleMs, ip, 'DE', userAgent, digest, network, id, gen),
    env.DB.prepare(present).bind(id, gen, now - 30_000, digest, network),
    env.DB.prepare(selectUser).bind(id),
  ])
  if (!rotated || !user) return null

  const iat = Math.floor(now / 1000)
  const claims = { iss: issuer, sid, iat }
  const [access, next] = await Promise.all([
    new SignJWT({ ...claims, aud: audience, sub: issuer, jti: crypto.randomUUID(), exp: iat + accessSeconds })
      .setProtectedHeader({ alg: keys.alg, typ: 'at+jwt', kid: keys.kid })
      .sign(keys.privateKey),
    new SignJWT({ ...claims, aud: issuer, gen: rotated['generation'], exp: iat + idleMs / 1000 })
      .setProtectedHeader({ alg: 'HS256', typ: 'rt+jwt', kid: keys.secret.kid })
      .sign(keys.secret.key),
  ])
  return { access_token: access, token_type: 'Bearer', expires_in: accessSeconds, refresh_token: next, user }
}

async function rowsOf(env: BareEnv, statements: D1PreparedStatement[]): Promise<Record<string, unknown>[][]> {
  const results = await env.DB.batch<Record<string, unknown>>(statements)
  return results.map((result) => result.results)
}
