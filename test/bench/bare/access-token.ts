import { type JWTPayload, jwtVerify } from 'jose'
import { type BareEnv, keysOf } from './keys.ts'

/** @throws when the token is none of ours */
export async function readAccessToken(env: BareEnv, authorization: string | undefined): Promise<JWTPayload> {
  const { publicKey, alg } = await keysOf(env)
  const { payload } = await jwtVerify(authorization?.slice('Bearer '.length) ?? '', publicKey, {
    algorithms: [alg],
    typ: 'at+jwt',
    issuer: env.PUBLIC_URL,
    audience: env.AUDIENCE,
  })
  return payload
}
