/** The schema of the copy of an account. */
import { retention } from '../../src/config/policy.ts'
import { inDays } from './limits.ts'
import * as z from 'zod'
import type { exportHead, exportedEmail } from '../../src/routes/export.ts'
import type { activityAnswer } from '../../src/routes/answers.ts'
import { type EmailTemplate, emailTemplates } from '../../src/services/mail/kinds.ts'
import type { AuditType } from '../../src/store/schema/audit.ts'
import { emailStatuses } from '../../src/store/schema/emails.ts'
import { activity } from './audit-answers.ts'
import { factors } from './factor-answers.ts'
import { email, id, time } from './fields.ts'
import { exactly } from './wire.ts'

type Email = ReturnType<ReturnType<typeof exportedEmail>>

/** The copy as it is written. */
export type ExportAnswer = ReturnType<typeof exportHead> & {
  emails: (Email & { template: EmailTemplate })[]
  activity: (ReturnType<typeof activityAnswer> & { type: AuditType })[]
}

const exported = exactly<Email & { template: EmailTemplate }>()(
  z.strictObject({
    id,
    template: z.enum(emailTemplates),
    created_at: time,
    recipient: email.nullable().meta({ description: '`null` for another address than that of the account.' }),
    status: z.enum(emailStatuses).nullable(),
    finished_at: time.nullable(),
  }),
)

/** What a copy says about the user besides what everybody sees. */
export const exportedUser = {
  email_deliverable: z.boolean(),
  email_changed_at: time.nullable(),
  password_set_at: time.nullable(),
}

/** The members of a copy but `user` and `sessions`. */
export const exportMembers = {
  exported_at: time,
  factors,
  email_change: z
    .strictObject({
      old_email: email,
      new_email: email,
      requested_at: time,
      changed_at: time.nullable(),
      revertible_until: time,
    })
    .nullable()
    .meta({ description: 'The last request for another address, as long as it can be undone.' }),
  links: z.array(
    z.strictObject({
      purpose: z.enum(['activation', 'reset']),
      created_at: time,
      expires_at: time,
    }),
  ),
  wrong_tries: z
    .array(
      z.strictObject({
        kind: z.enum(['account', 'device', 'factor', 'mail_code']),
        count: z.int().min(0),
        last_at: time,
      }),
    )
    .meta({ description: 'Wrong passwords and codes in a row.' }),
  emails: z
    .array(exported)
    .meta({ description: `Those of the last ${inDays(retention.emails)} about the account, newest first.` }),
  activity: z.array(activity),
}
