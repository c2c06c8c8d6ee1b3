/** What the provider reports about emails after it has accepted them. */
import { type SQL, and, eq, inArray, isNotNull, isNull, or, sql } from 'drizzle-orm'
import { type Db, choose } from './db.ts'
import { type EmailFate, type EmailProblem, emailFates, emails } from './schema/emails.ts'
import { users } from './schema/users.ts'

/** The email of an event: by our own id, which it carries as a tag, or otherwise by the id that the provider gave it. */
export interface EmailReference {
  id: string | undefined
  providerId: string
}

function isMeant({ id, providerId }: EmailReference): SQL {
  return id === undefined ? eq(emails.providerId, providerId) : eq(emails.id, id)
}

/** The email exists, and this fate comes later in `emailFates` than the one it has. */
export function fateIsNews(reference: EmailReference, fate: EmailFate): SQL {
  return sql`exists (select 1 from ${emails} where ${and(isMeant(reference), isBefore(fate))})`
}

function isBefore(fate: EmailFate): SQL | undefined {
  return or(isNull(emails.fate), inArray(emails.fate, emailFates.slice(0, emailFates.indexOf(fate))))
}

/** Moves the fate of an email on. */
export function updateFate(db: Db, reference: EmailReference, fate: EmailFate, guard?: SQL) {
  return db
    .update(emails)
    .set({ fate, providerId: knownProviderId(reference) })
    .where(and(isMeant(reference), guard ?? isBefore(fate)))
}

/** Notes when an email arrived, even if it has bounced or drawn a complaint since. */
export function updateDeliveredAt(db: Db, reference: EmailReference, deliveredAt: Date) {
  return db
    .update(emails)
    .set({ deliveredAt, providerId: knownProviderId(reference) })
    .where(and(isMeant(reference), isNull(emails.deliveredAt)))
}

function knownProviderId({ providerId }: EmailReference): SQL {
  return sql`coalesce(${emails.providerId}, ${providerId})`
}

/**
 * Marks an email in doubt as `sent`, since it turned out to be accepted. One that was to be repeated leaves its request, and
 * one of the `forgetful` templates loses its recipient. An email that was never offered, or was certainly refused, is left
 * alone: an operator may have queued it again.
 */
export function settleAccepted(db: Db, reference: EmailReference, now: Date, forgetful: readonly string[]) {
  const owner = sql`(select owner.id from users as owner where owner.email = ${emails.recipient})`
  const isInDoubt = and(inArray(emails.status, ['queued', 'sending', 'skipped']), isNotNull(emails.inDoubtSince))
  return db
    .update(emails)
    .set({
      status: 'sent',
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

/** The account that the email was for, looked up at the moment of writing. */
export function userIdOfEmail(reference: EmailReference): SQL {
  const recipient = sql`(select owner.id from users as owner where owner.email = ${emails.recipient})`
  return sql`(select coalesce(${emails.userId}, ${recipient}) from ${emails} where ${isMeant(reference)})`
}

/** What the audit trail says about an email: ids only. */
export function fateDetail(reference: EmailReference, reason: EmailProblem): SQL {
  return sql`(select json_object('email_id', ${emails.id}, 'template', ${emails.template}, 'reason', ${reason})
    from ${emails} where ${isMeant(reference)})`
}
