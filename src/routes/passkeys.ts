import * as z from 'zod/mini'
import { authenticate } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { assertOwnPage, handOver } from '../http/refresh-cookie.ts'
import { valid } from '../http/validate.ts'
import { addPasskey, passkeyEnrolmentOptions, removePasskey, renamePasskey } from '../services/factors/passkeys.ts'
import { passkeySignInOptions, signInWithPasskey } from '../services/sign-in/passkey.ts'
import { passkeyOptionsAnswer, signInAnswer } from './answers.ts'
import { enrolledAnswer, passkeyAnswer } from './factor-answers.ts'
import { assertion, idParam, mailCode, name, optional, token, transport } from './fields.ts'

const passkeySignIn = z.object({ challenge_token: token, credential: assertion, transport })

export const passkeySignInRoutes = new Hono<HttpEnv>()
  .post('/passkey/options', limitRate('passkey'), async (c) =>
    c.json(passkeyOptionsAnswer(await passkeySignInOptions(c.get('ctx')))),
  )
  .post('/passkey', limitRate('passkey'), valid('json', passkeySignIn), async (c) => {
    const { challenge_token: challengeToken, credential, transport: kept } = c.req.valid('json')
    assertOwnPage(c, kept)
    const outcome = await signInWithPasskey(c.get('ctx'), { challengeToken, credential })
    return c.json(handOver(c, kept, signInAnswer(outcome)))
  })

/** How authenticators say that they can be reached (WebAuthn Level 3 §5.8.4). Browsers may know more than the standard. */
const transports = z.pipe(
  z.array(z.string()),
  z.transform((given) => given.filter((word) => /^[a-z-]{1,32}$/.test(word)).slice(0, 8)),
)

/** `PublicKeyCredential.toJSON()` after `navigator.credentials.create` (WebAuthn Level 3 §5.1), as far as it is read. */
const registration = z.object({
  id: token,
  response: z.object({ clientDataJSON: token, attestationObject: token, transports: optional(transports) }),
  clientExtensionResults: optional(z.object({ credProps: optional(z.object({ rk: optional(z.boolean()) })) })),
})

const newPasskey = z.object({
  challenge_token: token,
  credential: registration,
  name: optional(name),
  mail_code: mailCode,
})

export const ownPasskeyRoutes = new Hono<HttpEnv>()
  .post('/options', limitRate('passkey'), authenticate, async (c) =>
    c.json(passkeyOptionsAnswer(await passkeyEnrolmentOptions(c.get('ctx'), c.get('actor')))),
  )
  .post('/', limitRate('passkey'), authenticate, valid('json', newPasskey), async (c) => {
    const { challenge_token: challengeToken, mail_code: mailCode, ...rest } = c.req.valid('json')
    const added = await addPasskey(c.get('ctx'), c.get('actor'), { ...rest, challengeToken, mailCode })
    return c.json({ ...passkeyAnswer(added.passkey), ...enrolledAnswer(added) }, 201)
  })
  .patch(
    '/:id',
    limitRate('passkey'),
    authenticate,
    valid('param', idParam),
    valid('json', z.object({ name })),
    async (c) => {
      const { id } = c.req.valid('param')
      const passkey = await renamePasskey(c.get('ctx'), c.get('actor'), id, c.req.valid('json').name)
      return c.json(passkeyAnswer(passkey))
    },
  )
  .delete('/:id', limitRate('passkey'), authenticate, valid('param', idParam), async (c) => {
    await removePasskey(c.get('ctx'), c.get('actor'), c.req.valid('param').id)
    return c.body(null, 204)
  })
