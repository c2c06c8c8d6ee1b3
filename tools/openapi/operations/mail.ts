import { retention } from '../../../src/config/policy.ts'
import { inDays } from '../limits.ts'
import type { Operations } from '../prose.ts'

export const mailOperations: Operations = {
  'GET /emails': {
    operationId: 'listEmails',
    tag: 'Administration',
    summary: 'List the emails of the outbox',
    description: `Newest first, without their contents: no text, no link and no IP address of the request that caused them. Finished emails are kept for ${inDays(retention.emails)}. Of a deleted account, only the last email is kept. A page with a \`status\` may be short or empty although there are more: go on until \`next_cursor\` is \`null\`.`,
    parameters: {
      user_id: 'Only emails to this user.',
      status: 'Only emails with this status.',
      limit: 'The maximum number of items on a page.',
      cursor: '`next_cursor` of the previous page, which had the same filters.',
    },
    answers: {
      200: {
        description: 'A page of emails.',
        schema: 'OutboxPage',
      },
    },
  },
  'DELETE /users/{id}/email-suppression': {
    operationId: 'liftEmailSuppression',
    tag: 'Administration',
    summary: 'Allow emails to an address again',
    description:
      'After a bounce or a complaint, no more email is sent to the address until its owner registers again or this call is made. If the address is on the suppression list of Resend, remove it there first. Emails that were skipped in between are not sent later.',
    parameters: { id: 'The id of the user.' },
    answers: { 204: { description: 'Emails are sent to the address again.' } },
    problems: ['not_suppressed'],
  },
  'POST /webhooks/resend': {
    operationId: 'receiveResendWebhook',
    tag: 'Service',
    summary: 'Receive events about emails from Resend',
    description:
      'Only for Resend. The body is an event (`email.delivered`, `email.delivery_delayed`, `email.failed`, `email.bounced`, `email.suppressed` or `email.complained`; others are accepted and ignored). It is signed as Standard Webhooks specifies, in `svix-id`, `svix-timestamp` and `svix-signature`. An event without the tag `outbox_id` of our emails changes nothing. A signature that is missing, wrong or more than five minutes from now is refused with one and the same answer. Events may arrive twice, late and in any order. The path is `not_found` when the service has no `RESEND_WEBHOOK_SECRET`.',
    answers: { 200: { description: 'Accepted.', schema: 'WebhookReceipt' } },
    problems: ['malformed_json', 'invalid_credentials', 'not_found'],
  },
}
