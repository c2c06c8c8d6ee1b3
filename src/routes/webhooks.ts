import * as z from 'zod/mini'
import { AppError } from '../errors.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { signedByResend } from '../http/webhook.ts'
import { rowTag } from '../providers/resend.ts'
import { recordFate } from '../services/mail/fate.ts'
import type { EmailFate } from '../store/schema/emails.ts'
import { id } from './fields.ts'

/**
 * The parts of an event that we use. Resend sends further members and further kinds of event, which are ignored, as are
 * events about emails without our tag: somebody else's, sent with the same account.
 */
const event = z.object({
  type: z.string(),
  created_at: z.string(),
  data: z.object({
    email_id: z.string(),
    tags: z.object({ [rowTag]: id }),
    bounce: optionalOf(z.object({ type: z.string() })),
  }),
})

type Event = z.output<typeof event>

const fates = new Map<string, (event: Event) => EmailFate>([
  ['email.delivery_delayed', () => 'delivery_delayed'],
  ['email.delivered', () => 'delivered'],
  ['email.failed', () => 'failed'],
  // Any other bounce, such as that of a full mailbox, says nothing about the address.
  ['email.bounced', ({ data }) => (data.bounce?.type === 'Permanent' ? 'bounced' : 'soft_bounced')],
  ['email.suppressed', () => 'suppressed'],
  ['email.complained', () => 'complained'],
])

export const webhookRoutes = new Hono<HttpEnv>().post('/resend', signedByResend, async (c) => {
  const told = event.safeParse(parse(await c.req.text()))
  const fate = told.success ? fates.get(told.data.type)?.(told.data) : undefined
  if (told.success && fate) {
    const { created_at: at, data } = told.data
    const about = { id: data.tags[rowTag], providerId: data.email_id }
    await recordFate(c.get('ctx'), { about, fate, at: new Date(at) })
  }
  // Resend repeats an event until it is answered with 200.
  return c.json({ received: true as const })
})

/**
 * A part of an event that counts as absent when it has another form. Not zod's `catch`, which takes every utility of
 * zod into the bundle: 3 kB.
 */
function optionalOf<Schema extends z.ZodMiniType>(schema: Schema) {
  return z.optional(
    z.pipe(
      z.unknown(),
      z.transform((value) => schema.safeParse(value).data),
    ),
  )
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new AppError('malformed_json')
  }
}
