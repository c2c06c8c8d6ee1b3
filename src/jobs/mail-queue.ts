import type { Ctx, MailJob } from '../context.ts'
import { isUuidv7 } from '../crypto/random.ts'
import { describeError, log } from '../log.ts'
import { type Retries, deliverEmails, retryAfterFailureSeconds } from '../services/mail/delivery.ts'
import { closeDeadLetter } from '../services/mail/rescue.ts'

/**
 * Delivers a batch of messages. Each is acknowledged or retried for itself, so one that always fails does not hold up
 * the others; the queue gives it to the dead-letter queue in the end.
 */
export async function consumeMailQueue(ctx: Ctx, batch: MessageBatch<MailJob>): Promise<void> {
  const ids = [...new Set(batch.messages.map(idOf))].filter(isUuidv7)
  let retries: Retries
  try {
    retries = await deliverEmails(ctx, ids)
  } catch (error) {
    log('error', 'mail.delivery_failed', { emails: ids.length, ...describeError(error) })
    retries = new Map(ids.map((id) => [id, retryAfterFailureSeconds]))
  }
  for (const message of batch.messages) {
    const delaySeconds = retries.get(idOf(message))
    if (delaySeconds === undefined) message.ack()
    else message.retry({ delaySeconds })
  }
}

/** Writes down what the queue gave up. */
export async function consumeDeadLetters(ctx: Ctx, batch: MessageBatch<MailJob>): Promise<void> {
  for (const message of batch.messages) {
    const id = idOf(message)
    try {
      await closeDeadLetter(ctx, id)
      message.ack()
    } catch (error) {
      log('error', 'mail.dead_letter_failed', { email_id: id, ...describeError(error) })
      message.retry({ delaySeconds: retryAfterFailureSeconds })
    }
  }
}

/** The row that a message is about. One that is not ours must not hold up the others, so it names no row. */
function idOf({ body }: Message): string {
  const id = (body as Partial<MailJob> | null | undefined)?.id
  return typeof id === 'string' ? id : ''
}
