/** The tables as the model says they must be, and what must hold of them whatever the model says. */
import { env } from 'cloudflare:workers'
import { decodeJwt } from 'jose'
import { expect } from 'vitest'
import { readable } from '../../support/readable.ts'
import { type Row, select, snapshot } from '../../support/state.ts'
import type { Session } from './facts.ts'
import type { Model } from './model.ts'
import { hasFactors } from './strength.ts'

/** Without the ADMIN who does the model's administration. */
const notAdmin = "email <> 'admin@example.com'"

function sorted(rows: readonly object[]): string[] {
  return rows.map((row) => JSON.stringify(row)).toSorted()
}

const idOf = ({ access }: Session) => String(decodeJwt(access.text)['sid'])

export async function expectTables(model: Model): Promise<void> {
  const users = await select(
    `select email, status, role, password_hash is not null as has_password, bio, created_at, activated_at is not null as was_activated from users where ${notAdmin}`,
  )
  expect(sorted(users)).toEqual(
    sorted(
      model.accounts.map(({ address, status, role, password, bio, createdAt, wasActivated }) => ({
        email: address,
        status,
        role,
        has_password: Number(password !== null),
        bio,
        created_at: createdAt,
        was_activated: Number(wasActivated),
      })),
    ),
  )

  const sessions = await select(
    `select email, generation, coalesce(first_generation, 1) as first_generation, repeated_generation,
      last_repeat_at, third_repeat_at, strayed_at, strayed_generation,
      coalesce(amr, '["pwd"]') as ways, coalesce(authenticated_at, sessions.created_at) as proven_at,
      sessions.created_at, last_used_at, expires_at from sessions join users on users.id = user_id where ${notAdmin}`,
  )
  const rows = model.sessions.filter(({ isEnded, isSwept }) => !isEnded && !isSwept)
  expect(sorted(sessions)).toEqual(
    sorted(
      rows.map(({ account, refreshTokens, createdAt, usedAt, expiresAt, ...chain }) => ({
        email: account.address,
        generation: refreshTokens.length,
        first_generation: chain.firstGeneration,
        repeated_generation: chain.repeatedGeneration || null,
        last_repeat_at: chain.repeatedAt.at(-1) ?? null,
        third_repeat_at: chain.repeatedAt.at(-3) ?? null,
        strayed_at: chain.stray?.at ?? null,
        strayed_generation: chain.stray?.generation ?? null,
        ways: JSON.stringify(chain.ways),
        proven_at: chain.provenAt,
        created_at: createdAt,
        last_used_at: usedAt,
        expires_at: expiresAt,
      })),
    ),
  )

  const registrations = await select('select email, created_at from registrations')
  expect(sorted(registrations)).toEqual(
    sorted(model.attempts.map(({ address, at }) => ({ email: address, created_at: at }))),
  )

  const links = await select(
    'select one_time_links.id, purpose, email, expires_at from one_time_links join users on users.id = user_id',
  )
  expect(sorted(links)).toEqual(
    sorted(
      model.links
        .filter(({ isGone }) => !isGone)
        .map(({ row, purpose, account, expiresAt }) => ({
          id: row.id,
          purpose,
          email: account.address,
          expires_at: expiresAt,
        })),
    ),
  )

  const counters = await select(
    "select count, allowed_at from attempt_counters where key not like '%admin@example.com%'",
  )
  expect(sorted(counters)).toEqual(
    sorted([...model.tries.values()].map(({ count, allowedAt }) => ({ count, allowed_at: allowedAt }))),
  )

  const waiting = await select("select id from emails where status in ('queued', 'sending')")
  expect(sorted(waiting)).toEqual(sorted(model.outbox.filter(({ isDone }) => !isDone).map(({ id }) => ({ id }))))
}

export async function expectFactors({ accounts }: Model): Promise<void> {
  const factors = await select(
    `select email, factors_id is not null as has_factors, coalesce(trust_number, 0) as distrusts,
      (select json_group_array(name order by id) from passkeys where user_id = users.id) as passkeys,
      (select json_array(created_at, last_step) from totps where user_id = users.id) as app,
      (select count(*) from recovery_codes where user_id = users.id) as recovery_codes
      from users where ${notAdmin}`,
  )
  expect(sorted(factors)).toEqual(
    sorted(
      accounts.map((account) => ({
        email: account.address,
        has_factors: Number(hasFactors(account)),
        distrusts: account.distrusts,
        passkeys: JSON.stringify(account.passkeys.map(({ name }) => name)),
        app: account.app ? JSON.stringify([account.app.addedAt, account.app.lastStep]) : null,
        recovery_codes: account.recoveryCodes.length,
      })),
    ),
  )
  const changes = await select(
    `select email, new_email, old_email, expires_at, applied_at is not null as is_applied, revert_until
      from email_changes join users on users.id = user_id`,
  )
  expect(sorted(changes)).toEqual(
    sorted(
      accounts.flatMap(({ address, addressChange: change }) =>
        change
          ? {
              email: address,
              new_email: change.to,
              old_email: change.from,
              expires_at: change.expiresAt,
              is_applied: Number(change.isApplied),
              revert_until: change.revertUntil,
            }
          : [],
      ),
    ),
  )
}

/** A session that showed no factor of an account that had one is that of a trusted device. */
export async function expectStrengths({ sessions }: Model): Promise<void> {
  const weak = await select<{ id: string }>(
    `select sessions.id from sessions join users on users.id = user_id
      where coalesce(amr, '') not like '%"mfa"%' and sessions.created_at >= (select min(added_at) from
        (select user_id, created_at as added_at from passkeys union all select user_id, created_at from totps) as had
        where had.user_id = users.id)`,
  )
  const trusted = new Set(sessions.filter(({ isTrusted }) => isTrusted).map(idOf))
  expect(weak.filter(({ id }) => !trusted.has(id))).toEqual([])
}

/** Nothing that opens an account is stored as it was shown. */
export async function expectNoPlaintext({ codes, setups, steps, trusted, sessions }: Model): Promise<void> {
  const secrets = [
    ...codes.flatMap((code) => [code, code.replaceAll('-', '')]),
    ...setups.flatMap(({ app, text }) => [app.secret, app.secretInBase64, text]),
    ...steps.map(({ text }) => text),
    ...trusted.map(({ text }) => text),
    ...sessions.flatMap(({ mailCodes }) => mailCodes.map(({ text }) => `"${text}"`)),
  ]
  const stored = JSON.stringify([...(await snapshot())].map(([, rows]) => [...rows.values()])).toLowerCase()
  expect(secrets.filter((secret) => stored.includes(secret.toLowerCase()))).toEqual([])
}

export async function expectTrail(model: Model): Promise<void> {
  const events = await select(
    `select type, at, user_id is not null as has_user,
      case when actor_id is null then 'nobody' when actor_id = user_id then 'self' else 'admin' end as "by"
      from audit_events where user_id is null or user_id <> (select id from users where not (${notAdmin}))`,
  )
  expect(sorted(events)).toEqual(
    sorted(model.trail.map(({ type, at, by, hasUser }) => ({ type, at, has_user: Number(hasUser), by }))),
  )
}

/** The sessions that ended before their time, and none of the others: whoever is on the list is turned away. */
export async function expectRevocations({ sessions }: Model): Promise<void> {
  const nameOf = (session: Session) => `session:${idOf(session)}`
  const { keys, list_complete } = await env.REVOCATIONS.list()
  expect(list_complete).toBe(true)
  const revoked = new Set(keys.map(({ name }) => name))
  const names = sessions.map(nameOf)
  expect(names.filter((name) => revoked.has(name)).toSorted()).toEqual(
    sessions
      .filter(({ isEnded }) => isEnded)
      .map(nameOf)
      .toSorted(),
  )
}

/** Queries that find nothing, whatever anybody did. */
const impossible: Record<string, string> = {
  'a session of a user who is not active': `select sessions.id from sessions left join users on users.id = user_id
    where users.id is null or users.status <> 'active'`,
  'a link of nobody': 'select id from one_time_links where user_id not in (select id from users)',
  'an activation link of an active user': `select one_time_links.id from one_time_links join users on users.id = user_id
    where purpose = 'activation' and status = 'active'`,
  'two users with one address': 'select lower(trim(email)) from users group by 1 having count(*) > 1',
  'an attempt to register an active address':
    "select registrations.id from registrations join users using (email) where status = 'active'",
  'an active user who was never activated': "select id from users where status = 'active' and activated_at is null",
  'a pending user who was activated': "select id from users where status = 'pending' and activated_at is not null",
  'a session older than 90 days': `select id from sessions where expires_at > created_at + ${90 * 24 * 3600 * 1000}`,
  'a token closed that was never issued': 'select id from sessions where first_generation > generation',
  'a repetition counted that never was': `select id from sessions
    where repeated_generation > generation or (repeated_generation is null) <> (last_repeat_at is null)
      or strayed_generation > repeated_generation`,
  'a generation below one': 'select id from sessions where generation < 1',
  'more than fifty sessions': 'select user_id from sessions group by 1 having count(*) > 50',
  'more than a hundred tries': `select key from attempt_counters
    where count > 100 or (count < 1 and key not like 'factor:%' and key not like 'mail-code:%')`,
  'a mail in delivery with nobody to deliver it': "select id from emails where status = 'sending'",
  'a mail that failed': "select id from emails where status in ('failed', 'unknown')",
  'a finished mail without its time': `select id from emails
    where (finished_at is null) <> (status in ('queued', 'sending'))`,
  'more than five mails of a kind in an hour': `select a.id from emails as a join emails as b
    on b.recipient = a.recipient and b.budget = a.budget and b.created_at between a.created_at and a.created_at + 3599999
    group by a.id having count(*) > 5`,
  'a role of an account that was never activated': "select id from users where role <> 'USER' and activated_at is null",
  'a suspension by nobody, or a trace of one that is over': `select id from users
    where (status = 'suspended') <> (suspended_by_role is not null)`,
  'factors without their number, or a number without factors': `select id from users where (factors_id is not null) <>
    (id in (select user_id from passkeys) or id in (select user_id from totps))`,
  'recovery codes without a factor': `select user_id from recovery_codes
    where user_id not in (select user_id from passkeys) and user_id not in (select user_id from totps)`,
  'more than eight recovery codes': 'select user_id from recovery_codes group by 1 having count(*) > 8',
  'a session of staff with a factor who has not shown it': `select sessions.id from sessions join users on users.id = user_id
    where role <> 'USER' and factors_id is not null and coalesce(amr, '') not like '%"mfa"%'`,
  'a change of address of nobody': 'select user_id from email_changes where user_id not in (select id from users)',
  'an old address that somebody else has': `select email from email_changes join users on email = old_email
    where applied_at is not null and revert_until > applied_at and users.id <> user_id`,
  'an address in the audit trail': "select id from audit_events where detail like '%@%'",
  'a user without ADMIN rights left alone': `select 1 where not exists
    (select 1 from users where role = 'ADMIN' and status = 'active')`,
}

export async function expectInvariants(): Promise<void> {
  const queries = Object.entries(impossible)
  const results = await env.DB.batch<Row>(queries.map(([, query]) => env.DB.prepare(readable(query))))
  const found = queries.flatMap(([name], place) => (results[place]!.results.length > 0 ? [name] : []))
  expect(found).toEqual([])
}
