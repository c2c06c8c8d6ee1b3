import type { Ctx, MailJob } from '../context.ts'
import { isUuidv7 } from '../crypto/random.ts'
import { describeError, log } from '../log.ts'
import { deliverEmails } from '../services/mail/delivery.ts'
import type { Retries } from '../services/mail/request.ts'
import { retryAfterFailureSeconds } from '../config/policy.ts'
import { closeDeadLetter } from '../services/mail/rescue.ts'

/**
 * Delivers a batch of messages. Each is acknowledged or retried separately, so one that always fails does not hold up
 * the others. In the end, the queue moves it to the dead-letter queue.
 */
export async function consumeMailQueue(ctx: Ctx, batch: MessageBatch<MailJob>): Promise<void> {
  const ids = [...new Set(batch.messages.map(readId))].filter(isUuidv7)
  let retries: Retries
  try {
    retries = await deliverEmails(ctx, ids)
  } catch (error) {
    log('error', 'mail.delivery_failed', { emails: ids.length, ...describeError(error) })
    retries = new Map(ids.map((id) => [id, retryAfterFailureSeconds]))
  }
  for (const message of batch.messages) {
    const delaySeconds = retries.get(readId(message))
    if (delaySeconds === undefined) message.ack()
    else message.retry({ delaySeconds })
  }
}

/** Closes the rows of messages that the queue gave up. */
export async function consumeDeadLetters(ctx: Ctx, batch: MessageBatch<MailJob>): Promise<void> {
  for (const message of batch.messages) {
    const id = readId(message)
    try {
      if (isUuidv7(id)) await closeDeadLetter(ctx, id)
      message.ack()
    } catch (error) {
      log('error', 'mail.dead_letter_failed', { email_id: id, ...describeError(error) })
      message.retry({ delaySeconds: retryAfterFailureSeconds })
    }
  }
}

/**
 * The row that a message names. A foreign message must not hold up the others, so it counts as one that names no row.
 */
function readId({ body }: Message): string {
  const id = (body as Partial<MailJob> | null | undefined)?.id
  return typeof id === 'string' ? id : ''
}
