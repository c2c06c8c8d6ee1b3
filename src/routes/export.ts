/** The copy of everything that is kept about a user. */
import type { Ctx } from '../context.ts'
import { timeOf } from '../crypto/random.ts'
import { authenticate } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { limitOwnWrites } from '../http/limit-rate.ts'
import { valid } from '../http/validate.ts'
import { describeError, log } from '../log.ts'
import { type Export, beginExport } from '../services/accounts/export.ts'
import { activityAnswer, sessionAnswer, userAnswer } from './answers.ts'
import { factorsAnswer } from './factor-answers.ts'
import { noParameters } from './fields.ts'

/** What is known when the answer begins. The document describes it together with the two long lists. */
export function exportHead({ at, user, sessionId, ...copy }: Export) {
  return {
    exported_at: at.toISOString(),
    user: {
      ...userAnswer(user),
      email_deliverable: user.emailProblem === null,
      email_changed_at: user.emailChangedAt?.toISOString() ?? null,
      password_set_at: user.passwordId === null ? null : timeOf(user.passwordId).toISOString(),
    },
    factors: factorsAnswer(copy.factors),
    sessions: copy.sessions.map((session) => sessionAnswer(session, sessionId)),
    email_change: copy.change
      ? {
          old_email: copy.change.oldEmail,
          new_email: copy.change.newEmail,
          requested_at: timeOf(copy.change.linkId).toISOString(),
          changed_at: copy.change.appliedAt?.toISOString() ?? null,
          revertible_until: copy.change.revertUntil.toISOString(),
        }
      : null,
    links: copy.links.map(({ purpose, createdAt, expiresAt }) => ({
      purpose: purpose as Exclude<typeof purpose, 'email_change'>,
      created_at: createdAt.toISOString(),
      expires_at: expiresAt.toISOString(),
    })),
    wrong_tries: copy.attempts.map(({ key, count, updatedAt }) => ({
      kind: key.slice(0, key.indexOf(':')).replace('-', '_') as 'account' | 'device' | 'factor' | 'mail_code',
      count,
      last_at: updatedAt.toISOString(),
    })),
  }
}

/**
 * An email about the account. What became of one to another address is not told: it would show whether that address,
 * which the user only asked for, has an account.
 */
export function exportedEmail({ user, change }: Export) {
  const own = [user.email, change?.appliedAt ? change.oldEmail : '']
  return ({ id, template, recipient, status, finishedAt }: EmailOf<Export>) => {
    const isOwn = recipient !== '' && own.includes(recipient)
    return {
      id,
      template,
      created_at: timeOf(id).toISOString(),
      recipient: isOwn ? recipient : null,
      status: isOwn ? status : null,
      finished_at: (isOwn && finishedAt?.toISOString()) || null,
    }
  }
}

type EmailOf<Copy extends Export> = Copy['emails'] extends AsyncGenerator<readonly (infer Email)[]> ? Email : never

export const exportRoutes = new Hono<HttpEnv>().get(
  '/export',
  authenticate,
  limitOwnWrites,
  valid('query', noParameters),
  async (c) => {
    const ctx = c.get('ctx')
    const copy = await beginExport(ctx, c.get('actor'))
    return c.body(streamOf(ctx, writeCopy(copy)), 200, {
      'Content-Type': 'application/json',
      'Content-Disposition': 'attachment; filename="account.json"',
    })
  },
)

async function* writeCopy(copy: Export): AsyncGenerator<string> {
  yield JSON.stringify(exportHead(copy)).slice(0, -1)
  yield* writeList('emails', copy.emails, exportedEmail(copy))
  yield* writeList('activity', copy.activity, activityAnswer)
  yield '}'
}

async function* writeList<Item>(
  name: string,
  pages: AsyncGenerator<readonly Item[]>,
  answer: (item: Item) => object,
): AsyncGenerator<string> {
  yield `,"${name}":[`
  let comma = ''
  for await (const page of pages) {
    const text = page.map((item) => JSON.stringify(answer(item))).join(',')
    if (text === '') continue
    yield comma + text
    comma = ','
  }
  yield ']'
}

/**
 * Reads on only when the client has taken what was read before. A failure breaks the answer off: no half copy looks
 * whole.
 */
function streamOf(ctx: Ctx, texts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await texts.next()
        if (done) controller.close()
        else controller.enqueue(encoder.encode(value))
      } catch (error) {
        log('error', 'request.failed', { request_id: ctx.origin.requestId, ...describeError(error) })
        controller.error(error)
      }
    },
    cancel: () => void texts.return(undefined),
  })
}
