/** The answers about mail. */
import * as z from 'zod'
import type { emailAnswer } from '../../src/routes/answers.ts'
import type { emailRoutes } from '../../src/routes/emails.ts'
import type { webhookRoutes } from '../../src/routes/webhooks.ts'
import { type EmailTemplate, emailTemplates } from '../../src/services/mail/kinds.ts'
import { emailFates, emailStatuses } from '../../src/store/schema/emails.ts'
import { email, id, nextCursor, time } from './fields.ts'
import { type Output, exactly } from './wire.ts'

export const outboxEmail = exactly<ReturnType<typeof emailAnswer> & { template: EmailTemplate }>()(
  z.strictObject({
    id,
    template: z.enum(emailTemplates),
    user_id: id
      .nullable()
      .meta({ description: 'Whose mail it is. Unknown until delivery for what anybody may ask for.' }),
    recipient: email.nullable().meta({ description: '`null` once the farewell of a deleted account is over.' }),
    status: z.enum(emailStatuses).meta({
      description:
        '`skipped`: there was nothing to say any more, or nobody to say it to. `unknown`: it may have been accepted, and is never sent again.',
    }),
    attempts: z.int().min(0),
    provider_id: z.string().nullable().meta({ description: 'What Resend calls it.' }),
    fate: z.enum(emailFates).nullable().meta({
      description: 'What Resend has told about it, the last word first. `bounced` is for good, `soft_bounced` is not.',
    }),
    last_error: z.string().nullable(),
    created_at: time,
    due_at: time.nullable().meta({ description: 'The next try, for a mail that is not finished.' }),
    finished_at: time.nullable(),
    delivered_at: time.nullable(),
  }),
).meta({ description: 'A mail of the outbox, without what it says.' })

export const outboxPage = z.strictObject({ emails: z.array(outboxEmail), next_cursor: nextCursor }) satisfies z.ZodType<
  Output<typeof emailRoutes, '/', '$get'>
>

export const webhookReceipt = exactly<Output<typeof webhookRoutes, '/resend', '$post'>>()(
  z.strictObject({ received: z.literal(true) }),
)
