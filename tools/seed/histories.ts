import { refreshTokenSeconds, retention } from '../../src/config/policy.ts'
import { type MailEnd, mailEnd } from './mail-ends.ts'
import { type SeededPerson, dayMs } from './people.ts'
import type { Random } from './random.ts'
import type { Put, Row } from './rows.ts'
import { places, userAgents } from './words.ts'

/** Shared by the histories of all people. */
export interface World {
  random: Random
  nowMs: number
  passwordHash: string
  /** The actor of suspensions and changes of role. */
  adminId: string
  put: Put
}

const sessionLifeMs = refreshTokenSeconds * 1000
/** A day less than the cleanup keeps them, so that the data is still there tomorrow. */
const keptMailsMs = retention.emails - dayMs
const keptTrailMs = retention.auditEvents - dayMs
/** Queued emails are due in a year, so that the crons of `npm run dev` do not send them. */
const heldMs = 365 * dayMs

/** Writes one person and their history. */
export function putHistory(world: World, person: SeededPerson): void {
  const { random, nowMs, put } = world
  const lastLoginAt = person.activatedAt === null ? null : random.between(person.activatedAt, nowMs)
  const problem =
    person.status === 'active' && random.is(0.01) ? random.of(['bounced', 'complained', 'suppressed']) : null
  put('users', {
    id: person.id,
    email: person.email,
    password_hash: person.activatedAt === null ? null : world.passwordHash,
    role: person.role,
    status: person.status,
    first_name: person.firstName,
    last_name: person.lastName,
    avatar_url: null,
    bio: person.bio,
    locale: person.locale,
    created_at: person.createdAt,
    updated_at: lastLoginAt ?? person.createdAt,
    activated_at: person.activatedAt,
    last_login_at: lastLoginAt,
    email_problem: problem,
  })
  putRegistration(world, person)
  if (person.activatedAt !== null && lastLoginAt !== null) putUse(world, person, person.activatedAt, lastLoginAt)
  if (person.status === 'suspended') putSuspension(world, person, lastLoginAt ?? person.createdAt)
  if (problem) putUndeliverable(world, person, problem)
}

/** A pending address may have several registrations. Each has its email and, for a day, its link. */
function putRegistration(world: World, person: SeededPerson): void {
  const { random, nowMs, put } = world
  const isPending = person.status === 'pending'
  const attempts = isPending ? 1 + random.below(3) : 1
  for (let attempt = 0; attempt < attempts; attempt++) {
    const at = attempt === 0 ? person.createdAt : random.between(person.createdAt, nowMs)
    const registrationId = random.id(at)
    putEvent(world, 'user.registered', at, person.id, person.id)
    if (isPending) {
      put('registrations', {
        id: registrationId,
        email: person.email,
        password_hash: world.passwordHash,
        first_name: person.firstName,
        last_name: person.lastName,
        locale: person.locale,
        created_at: at,
      })
    }
    const emailId = putMail(world, person, 'registration', at, isPending ? { registrationId } : {})
    if (isPending && emailId !== undefined && at > nowMs - dayMs) {
      put('one_time_links', {
        id: emailId,
        purpose: 'activation',
        user_id: person.id,
        registration_id: registrationId,
        created_at: at,
        expires_at: at + dayMs,
      })
    }
  }
}

/** Writes sign-ins, open sessions and the other activity of a person. */
function putUse(world: World, person: SeededPerson, activatedAt: number, lastLoginAt: number): void {
  const { random, nowMs, put } = world
  putEvent(world, 'user.activated', activatedAt, person.id, person.id)
  if (person.status === 'active') {
    const count = random.is(0.03) ? 5 + random.below(8) : random.below(3)
    for (let session = 0; session < count; session++) {
      const createdAt = session === 0 ? lastLoginAt : random.between(Math.max(activatedAt, nowMs - 90 * dayMs), nowMs)
      const lastUsedAt = random.between(Math.max(createdAt, nowMs - 29 * dayMs), nowMs)
      const id = random.id(createdAt)
      const origin = originOf(random)
      put('sessions', {
        id,
        user_id: person.id,
        generation: random.below(200),
        created_at: createdAt,
        last_used_at: lastUsedAt,
        expires_at: lastUsedAt + sessionLifeMs,
        ...origin,
      })
      putEvent(world, 'user.signed_in', createdAt, person.id, person.id, { session_id: id }, origin)
    }
  }
  const at = () => random.between(Math.max(activatedAt, nowMs - keptTrailMs), nowMs)
  if (random.is(0.2)) putEvent(world, 'user.sign_in_refused', at(), null, person.id, { reason: 'wrong_password' })
  if (random.is(0.15)) putEvent(world, 'user.profile_updated', at(), person.id, person.id, { fields: 'first_name bio' })
  if (random.is(0.1)) putEvent(world, 'session.ended', at(), person.id, person.id, { sessions: 'others' })
  if (random.is(0.1)) putMailWithEvent(world, person, 'password_changed', 'user.password_changed', at())
  if (random.is(0.08)) putMailWithEvent(world, person, 'password_reset', 'user.password_reset_requested', at())
  if (random.is(0.1)) putMail(world, person, 'new_sign_in', at())
  if (random.is(0.005)) putMailWithEvent(world, person, 'session_reuse', 'session.reuse_detected', at())
  if (person.role !== 'USER') {
    const detail = { role: person.role }
    putEvent(world, 'user.role_changed', at(), world.adminId, person.id, detail)
    putMail(world, person, 'role_changed', at(), detail)
  }
}

function putSuspension(world: World, person: SeededPerson, earliest: number): void {
  const { random, nowMs } = world
  const at = random.between(earliest, nowMs)
  const reason = random.of(['Spam in comments', 'Asked for by the owner', 'Chargeback', 'Account taken over'])
  putEvent(world, 'user.suspended', at, world.adminId, person.id, { reason })
  putMail(world, person, 'account_suspended', at, { reason })
}

function putUndeliverable(world: World, person: SeededPerson, fate: string): void {
  const at = world.random.between(Math.max(person.createdAt, world.nowMs - keptMailsMs), world.nowMs)
  const emailId = putMail(world, person, 'new_sign_in', at, {}, { fate, status: 'sent' })
  putEvent(world, 'email.undeliverable', at, null, person.id, { email_id: emailId ?? null, fate })
}

function putMailWithEvent(world: World, person: SeededPerson, template: string, type: string, at: number): void {
  putEvent(world, type, at, person.id, person.id)
  putMail(world, person, template, at)
}

function putEvent(
  { random, nowMs, put }: World,
  type: string,
  at: number,
  actorId: string | null,
  userId: string,
  detail: object | null = null,
  origin: Row = originOf(random),
): void {
  if (at < nowMs - keptTrailMs) return
  put('audit_events', {
    id: random.id(at),
    at,
    type,
    actor_id: actorId,
    user_id: userId,
    ...origin,
    request_id: random.id(at),
    detail: detail && JSON.stringify(detail),
  })
}

/** Returns the id, or `undefined` for an email so old that the cleanup has deleted it. */
function putMail(
  { random, nowMs, put }: World,
  person: SeededPerson,
  template: string,
  at: number,
  params: object = {},
  end: MailEnd = mailEnd(random),
): string | undefined {
  if (at < nowMs - keptMailsMs) return undefined
  const isFinished = end.status !== 'queued' && end.status !== 'sending'
  const finishedAt = Math.min(at + 500 + random.below(5000), nowMs)
  const id = random.id(at)
  put('emails', {
    id,
    template,
    recipient: person.email,
    user_id: person.id,
    budget: null,
    params: JSON.stringify(params),
    status: end.status,
    attempts: end.status === 'queued' ? 0 : end.status === 'failed' ? 1 + random.below(30) : 1,
    due_at: isFinished ? at : nowMs + heldMs,
    in_doubt_since: end.status === 'unknown' ? at : null,
    linked_at: null,
    batch_id: null,
    batch_place: null,
    provider_id: end.status === 'sent' ? random.id(at) : null,
    fate: end.fate ?? null,
    delivered_at: end.fate === 'delivered' || end.fate === 'complained' ? finishedAt : null,
    last_error: end.lastError ?? null,
    created_at: at,
    finished_at: isFinished ? finishedAt : null,
  })
  return id
}

function originOf(random: Random): Row {
  const [prefix, country] = random.of(places)
  return { ip: `${prefix}${1 + random.below(254)}`, country, user_agent: random.of(userAgents) }
}
