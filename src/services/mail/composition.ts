import { renderEmail } from '../../../emails/render.ts'
import type { Ctx } from '../../context.ts'
import type { OutgoingEmail } from '../../providers/resend.ts'
import type { ClaimedEmail } from '../../store/email-claims.ts'
import type { Email, EmailParams } from '../../store/schema.ts'
import { type Plan, findFacts, planOf } from './content.ts'
import { issueLinks } from './links.ts'

export type Composed = { claim: ClaimedEmail } & (
  | { kind: 'mail'; mail: OutgoingEmail; userId: string | null }
  /** Nothing to say any more. */
  | { kind: 'nothing'; userId: string | null }
  /** This one can't be read, which is no reason to keep the others waiting. */
  | { kind: 'broken'; error: unknown }
)

type Draft = { claim: ClaimedEmail; plan: Plan | undefined } | { claim: ClaimedEmail; error: unknown }

/**
 * Decides what each row has to say and says it: two round trips for all of them. The same rows with the same accounts
 * behind them give the same bytes again.
 *
 * @throws {AppError} `service_unavailable` when D1 fails; what is the matter with one row is in its own result
 */
export async function composeEmails(ctx: Ctx, claims: readonly ClaimedEmail[], claimedAt: Date): Promise<Composed[]> {
  const read = claims.map((claim) => ({ claim, row: attempt(() => withParams(claim)) }))
  const facts = await findFacts(
    ctx,
    read.flatMap(({ row }) => ('value' in row ? [row.value] : [])),
  )
  const drafts = read.map(({ claim, row }): Draft => {
    const plan = 'value' in row ? attempt(() => planOf(row.value, facts)) : row
    return 'value' in plan ? { claim, plan: plan.value } : { claim, error: plan.error }
  })
  const links = await issueLinks(
    ctx,
    drafts.flatMap((draft) => ('plan' in draft ? (draft.plan?.link ?? []) : [])),
    claimedAt,
  )
  return drafts.map((draft): Composed => {
    const { claim } = draft
    if ('error' in draft) return { claim, kind: 'broken', error: draft.error }
    const rendered = attempt(() => {
      const message = draft.plan?.message(links.get(claim.id))
      return message && renderEmail(message, ctx.config)
    })
    if ('error' in rendered) return { claim, kind: 'broken', error: rendered.error }
    const userId = draft.plan?.userId ?? claim.userId
    if (!rendered.value) return { claim, kind: 'nothing', userId }
    const mail = { id: claim.id, to: claim.recipient, ...rendered.value }
    return { claim, kind: 'mail', mail, userId }
  })
}

function withParams(claim: ClaimedEmail): Email {
  return { ...claim, params: JSON.parse(claim.params) as EmailParams }
}

function attempt<T>(act: () => T): { value: T } | { error: unknown } {
  try {
    return { value: act() }
  } catch (error) {
    return { error }
  }
}
