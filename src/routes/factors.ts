/** The signed-in user's own second factors. Passkeys have routes of their own. */
import * as z from 'zod/mini'
import { authenticate, authenticateForReading } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitRate } from '../http/limit-rate.ts'
import { valid } from '../http/validate.ts'
import { sendMailCode } from '../services/factors/mail-code.ts'
import { listFactors } from '../services/factors/own-factors.ts'
import { renewRecoveryCodes } from '../services/factors/recovery-codes.ts'
import { confirmTotp, removeTotp, startTotp } from '../services/factors/totp.ts'
import { accepted } from './answers.ts'
import { enrolledAnswer, factorsAnswer, totpSetupAnswer } from './factor-answers.ts'
import { mailCode, noParameters, token, typedCode } from './fields.ts'

const confirmation = z.object({ setup_token: token, code: typedCode, mail_code: mailCode })

export const factorRoutes = new Hono<HttpEnv>()
  .get('/factors', authenticateForReading, valid('query', noParameters), async (c) =>
    c.json(factorsAnswer(await listFactors(c.get('ctx'), c.get('actor')))),
  )
  .post('/factors/code', limitRate('secondFactor'), authenticate, async (c) => {
    await sendMailCode(c.get('ctx'), c.get('actor'))
    return c.json(accepted.mailCode, 202)
  })
  .post('/totp', limitRate('secondFactor'), authenticate, async (c) =>
    c.json(totpSetupAnswer(await startTotp(c.get('ctx'), c.get('actor')))),
  )
  .post('/totp/confirm', limitRate('secondFactor'), authenticate, valid('json', confirmation), async (c) => {
    const { setup_token: setupToken, code, mail_code: mailCode } = c.req.valid('json')
    const enrolled = await confirmTotp(c.get('ctx'), c.get('actor'), { setupToken, code, mailCode })
    return c.json(enrolledAnswer(enrolled), 201)
  })
  .delete('/totp', limitRate('secondFactor'), authenticate, async (c) => {
    await removeTotp(c.get('ctx'), c.get('actor'))
    return c.body(null, 204)
  })
  .post('/recovery-codes', limitRate('secondFactor'), authenticate, async (c) =>
    c.json({ recovery_codes: await renewRecoveryCodes(c.get('ctx'), c.get('actor')) }),
  )
