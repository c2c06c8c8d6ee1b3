/** What the provider tells about mails it accepted. */
import { type SQL, and, eq, inArray, isNotNull, isNull, or, sql } from 'drizzle-orm'
import type { Db } from './db.ts'
import { type EmailFate, type EmailProblem, emailFates, emails, users } from './schema.ts'

/** Which mail an event is about: its own id, which it carries as a tag, or else the one that the provider gave it. */
export interface EmailReference {
  id: string | undefined
  providerId: string
}

function isMeant({ id, providerId }: EmailReference): SQL {
  return id === undefined ? eq(emails.providerId, providerId) : eq(emails.id, id)
}

/** The mail is there, and this fate is further on than the one it has. */
export function fateIsNews(reference: EmailReference, fate: EmailFate): SQL {
  return sql`exists (select 1 from ${emails} where ${and(isMeant(reference), isBefore(fate))})`
}

function isBefore(fate: EmailFate): SQL | undefined {
  return or(isNull(emails.fate), inArray(emails.fate, emailFates.slice(0, emailFates.indexOf(fate))))
}

/** Moves the fate of a mail on. */
export function updateFate(db: Db, reference: EmailReference, fate: EmailFate, guard?: SQL) {
  return db
    .update(emails)
    .set({ fate, providerId: knownProviderId(reference) })
    .where(and(isMeant(reference), guard ?? isBefore(fate)))
}

/** Notes when a mail arrived, even if worse has become of it since. */
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
 * Ends the doubt about a mail that turned out to be accepted. One that is still to be repeated leaves its request, and the
 * farewell to a deleted account forgets its address. What was never offered, or refused for certain, is not meant: an
 * operator may have queued it again.
 */
export function settleAccepted(db: Db, reference: EmailReference, now: Date) {
  const owner = sql`(select owner.id from users as owner where owner.email = ${emails.recipient})`
  const isInDoubt = and(inArray(emails.status, ['queued', 'sending', 'skipped']), isNotNull(emails.inDoubtSince))
  return db
    .update(emails)
    .set({
      status: 'sent',
      userId: sql`coalesce(${emails.userId}, ${owner})`,
      recipient: sql`case ${emails.template} when 'account_deleted' then '' else ${emails.recipient} end`,
      inDoubtSince: null,
      lastError: null,
      finishedAt: sql`coalesce(${emails.finishedAt}, ${now.getTime()})`,
    })
    .where(and(isMeant(reference), or(eq(emails.status, 'unknown'), isInDoubt)))
}

/** Stops mail to the recipient of a mail, for as long as there is an account with that address. */
export function updateEmailProblem(db: Db, reference: EmailReference, emailProblem: EmailProblem, guard: SQL) {
  const recipient = sql`(select ${emails.recipient} from ${emails} where ${isMeant(reference)})`
  return db
    .update(users)
    .set({ emailProblem })
    .where(and(sql`${users.email} = ${recipient}`, guard))
}

/** Whose mail it was, looked up at the moment of writing. */
export function userIdOfEmail(reference: EmailReference): SQL {
  const recipient = sql`(select owner.id from users as owner where owner.email = ${emails.recipient})`
  return sql`(select coalesce(${emails.userId}, ${recipient}) from ${emails} where ${isMeant(reference)})`
}

/** What the audit trail says of a mail: ids only. */
export function fateDetail(reference: EmailReference, reason: EmailProblem): SQL {
  return sql`(select json_object('email_id', ${emails.id}, 'template', ${emails.template}, 'reason', ${reason})
    from ${emails} where ${isMeant(reference)})`
}
