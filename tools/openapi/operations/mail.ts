import type { Operations } from '../prose.ts'

export const mailOperations: Operations = {
  'GET /emails': {
    operationId: 'listEmails',
    tag: 'Administration',
    summary: 'Look into the outbox',
    description:
      'Newest first, without contents: no text, no link, no address it was caused from. Finished mails are kept for 30 days, and none of a deleted account but the farewell.',
    parameters: {
      user_id: 'Only mails of this user.',
      status: 'Only mails in this state.',
      limit: 'How many on a page.',
      cursor: '`next_cursor` of the page before, with the same filters.',
    },
    answers: {
      200: {
        description: 'A page of mails.',
        schema: 'OutboxPage',
      },
    },
  },
  'DELETE /users/{id}/email-suppression': {
    operationId: 'liftEmailSuppression',
    tag: 'Administration',
    summary: 'Let mail go to an address again',
    description:
      'After a bounce or a complaint nothing more is mailed to the address, until its owner registers again or this call. When Resend has the address on its own list of suppressions it has to be taken off there first. What was skipped meanwhile is not sent later.',
    parameters: { id: 'The id of the user.' },
    answers: { 204: { description: 'The address takes mail, as far as anybody knows.' } },
  },
  'POST /webhooks/resend': {
    operationId: 'receiveResendWebhook',
    tag: 'Service',
    summary: 'Take what Resend tells about mails',
    description:
      'For Resend alone. The body is an event of Resend (`email.delivered`, `email.delivery_delayed`, `email.failed`, `email.bounced`, `email.suppressed`, `email.complained`; any other is taken and ignored) and is signed as Standard Webhooks has it, in `svix-id`, `svix-timestamp` and `svix-signature`. A signature that is missing, wrong or more than five minutes from now is refused, without saying which. Any event may come twice, late, and in any order. Not found when the service has no `RESEND_WEBHOOK_SECRET`.',
    answers: { 200: { description: 'Taken.', schema: 'WebhookReceipt' } },
    problems: ['malformed_json', 'invalid_credentials', 'not_found'],
  },
}
