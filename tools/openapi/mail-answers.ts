/** Schemas of the answers about emails. */
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
    user_id: id.nullable().meta({
      description:
        'The user who receives the email. Unknown until delivery for emails that anybody may request. `recipient: null` means that the user was deleted.',
    }),
    recipient: email.nullable().meta({ description: '`null` once the last email to a deleted account is finished.' }),
    status: z.enum(emailStatuses).meta({
      description:
        '`skipped`: at delivery there was no reason left to send it, or no address to send it to. `unknown`: Resend may have accepted it, so it is never sent again.',
    }),
    attempts: z.int().min(0),
    provider_id: z.string().nullable().meta({ description: 'The id of the email at Resend.' }),
    fate: z.enum(emailFates).nullable().meta({
      description: 'The latest state that Resend has reported. `bounced` is permanent, `soft_bounced` is not.',
    }),
    last_error: z.string().nullable(),
    created_at: time,
    due_at: time.nullable().meta({ description: 'The next attempt, for an email that is not finished.' }),
    finished_at: time.nullable(),
    delivered_at: time.nullable(),
  }),
).meta({ description: 'An email of the outbox, without its contents.' })

export const outboxPage = z.strictObject({ emails: z.array(outboxEmail), next_cursor: nextCursor }) satisfies z.ZodType<
  Output<typeof emailRoutes, '/', '$get'>
>

export const webhookReceipt = exactly<Output<typeof webhookRoutes, '/resend', '$post'>>()(
  z.strictObject({ received: z.literal(true) }),
)
