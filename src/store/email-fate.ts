/** What the provider reports about emails after it has accepted them. */
import { type SQL, and, eq, inArray, isNotNull, isNull, lt, or, sql } from 'drizzle-orm'
import { type Db, choose } from './db.ts'
import { noParams } from './emails.ts'
import { type EmailFate, type EmailProblem, emails } from './schema/emails.ts'
import { users } from './schema/users.ts'

/** The email of an event: our own id, which it carries as a tag, and the one that the provider gave it. */
export interface EmailReference {
  id: string
  providerId: string
}

function isMeant({ id }: EmailReference): SQL {
  return eq(emails.id, id)
}

/** The email exists, and this fate comes later in `emailFates` than the one it has. */
export function fateIsNews(reference: EmailReference, fate: EmailFate): SQL {
  return sql`exists (select 1 from ${emails} where ${and(isMeant(reference), isBefore(fate))})`
}

/** Fates are numbered in their order. */
function isBefore(fate: EmailFate): SQL {
  return sql`(${emails.fate} is null or ${lt(emails.fate, fate)})`
}

/** Moves the fate of an email on. */
export function updateFate(db: Db, reference: EmailReference, fate: EmailFate, guard: SQL = isBefore(fate)) {
  return db
    .update(emails)
    .set({ fate, providerId: knownProviderId(reference) })
    .where(and(isMeant(reference), guard))
}

/**
 * Moves the fate on to `delivered`, and notes when the email arrived, even if it has bounced or drawn a complaint
 * since.
 */
export function updateDelivered(db: Db, reference: EmailReference, deliveredAt: Date) {
  const fate = 'delivered'
  return db
    .update(emails)
    .set({
      fate: choose(isBefore(fate), sql`${sql.param(fate, emails.fate)}`, sql`${emails.fate}`),
      deliveredAt: sql`coalesce(${emails.deliveredAt}, ${deliveredAt.getTime()})`,
      providerId: knownProviderId(reference),
    })
    .where(and(isMeant(reference), or(isBefore(fate), isNull(emails.deliveredAt))))
}

function knownProviderId({ providerId }: EmailReference): SQL {
  return sql`coalesce(${emails.providerId}, ${providerId})`
}

/**
 * Marks an email in doubt as `sent`, since it turned out to be accepted. One that was to be repeated leaves its
 * request, and one of the `forgetful` templates loses its recipient. An email that was never offered, or was certainly
 * refused, is left alone: an operator may have queued it again.
 */
export function settleAccepted(db: Db, reference: EmailReference, now: Date, forgetful: readonly string[]) {
  const owner = sql`(select owner.id from users as owner where owner.email = ${emails.recipient})`
  const isInDoubt = and(inArray(emails.status, ['queued', 'sending', 'skipped']), isNotNull(emails.inDoubtSince))
  return db
    .update(emails)
    .set({
      status: 'sent',
      params: noParams,
      userId: sql`coalesce(${emails.userId}, ${owner})`,
      recipient: choose(inArray(emails.template, forgetful), '', sql`${emails.recipient}`),
      inDoubtSince: null,
      lastError: null,
      finishedAt: sql`coalesce(${emails.finishedAt}, ${now.getTime()})`,
    })
    .where(and(isMeant(reference), or(eq(emails.status, 'unknown'), isInDoubt)))
}

/** Stops all email to the recipient of an email, for as long as an account has that address. */
export function updateEmailProblem(db: Db, reference: EmailReference, emailProblem: EmailProblem, guard: SQL) {
  const recipient = sql`(select ${emails.recipient} from ${emails} where ${isMeant(reference)})`
  return db
    .update(users)
    .set({ emailProblem })
    .where(and(sql`${users.email} = ${recipient}`, guard))
}

/**
 * The account whose emails stop, or that the email was about, looked up at the moment of writing. Whoever asked for
 * another address must not learn what became of the email to it: no news would mean that an account has the address,
 * and that its emails were stopped before.
 */
export function userIdOfEmail(reference: EmailReference): SQL {
  const recipient = sql`(select owner.id from users as owner where owner.email = ${emails.recipient})`
  const about = sql`case when ${emails.template} <> 'email_change' then ${emails.userId} end`
  return sql`(select coalesce(${recipient}, ${about}) from ${emails} where ${isMeant(reference)})`
}

/** What the audit trail says about an email besides its id. */
export function fateDetail(reference: EmailReference, reason: EmailProblem): SQL {
  return sql`(select json_object('template', ${emails.template}, 'reason', ${reason})
    from ${emails} where ${isMeant(reference)})`
}
