import { refreshTokenSeconds } from '../../src/config/policy.ts'
import { newUserShard } from '../../src/crypto/random.ts'
import { dayMs } from '../../src/durations.ts'
import type { AuditType } from '../../src/store/schema/audit.ts'
import { type EmailProblem, emailProblems } from '../../src/store/schema/emails.ts'
import { oneTimeLinks } from '../../src/store/schema/links.ts'
import { registrations } from '../../src/store/schema/registrations.ts'
import { sessions } from '../../src/store/schema/sessions.ts'
import { users } from '../../src/store/schema/users.ts'
import type { SeededPerson } from './people.ts'
import { type World, keptMailsMs, keptTrailMs, putEvent, putMail } from './trail.ts'

const sessionLifeMs = refreshTokenSeconds * 1000

/** Writes one person and their history. */
export function putHistory(world: World, person: SeededPerson): void {
  const { random, nowMs, put } = world
  const lastLoginAt = person.activatedAt === null ? null : random.between(person.activatedAt, nowMs)
  const problem = person.status === 'active' && random.is(0.01) ? random.of(emailProblems) : null
  put(users, {
    id: person.id,
    email: person.email,
    passwordHash: person.activatedAt === null ? null : world.passwordHash,
    passwordId: person.activatedAt === null ? null : random.id(person.activatedAt),
    role: person.role,
    status: person.status,
    firstName: person.firstName,
    lastName: person.lastName,
    bio: person.bio,
    locale: person.locale,
    updatedAt: new Date(lastLoginAt ?? person.createdAt),
    activatedAt: dateOf(person.activatedAt),
    lastLoginAt: dateOf(lastLoginAt),
    suspendedByRole: person.status === 'suspended' ? 'ADMIN' : null,
    emailProblem: problem,
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
    putEvent(world, 'user.registered', at, null, person.id)
    if (isPending) {
      put(registrations, {
        id: registrationId,
        email: person.email,
        passwordHash: world.passwordHash,
        firstName: person.firstName,
        lastName: person.lastName,
        locale: person.locale,
      })
    }
    const emailId = putMail(world, person, 'registration', at, isPending ? { registrationId } : {})
    if (isPending && emailId !== undefined && at > nowMs - dayMs) {
      put(oneTimeLinks, {
        id: emailId,
        purpose: 'activation',
        userId: person.id,
        registrationId,
        createdAt: new Date(at),
        expiresAt: new Date(at + dayMs),
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
      const id = random.id(createdAt, newUserShard)
      const origin = world.origins.any(random)
      put(sessions, {
        id,
        userId: person.id,
        deviceId: random.id(createdAt),
        generation: random.below(200),
        lastUsedAt: new Date(lastUsedAt),
        expiresAt: new Date(lastUsedAt + sessionLifeMs),
        ...world.origins.ofSession(origin),
      })
      putEvent(world, 'user.signed_in', createdAt, person.id, person.id, { subjectId: id, origin })
    }
  }
  const at = () => random.between(Math.max(activatedAt, nowMs - keptTrailMs), nowMs)
  if (random.is(0.2))
    putEvent(world, 'user.sign_in_refused', at(), null, person.id, { detail: { reason: 'wrong_password' } })
  if (random.is(0.15))
    putEvent(world, 'user.profile_updated', at(), person.id, person.id, { detail: { fields: 'first_name bio' } })
  if (random.is(0.1)) putEvent(world, 'session.ended', at(), person.id, person.id, { detail: { sessions: 'others' } })
  if (random.is(0.1)) putMailWithEvent(world, person, 'password_changed', 'user.password_changed', at(), person.id)
  if (random.is(0.08)) putMailWithEvent(world, person, 'password_reset', 'user.password_reset_requested', at())
  if (random.is(0.1)) putMail(world, person, 'new_sign_in', at())
  if (random.is(0.005)) putMailWithEvent(world, person, 'session_reuse', 'session.reuse_detected', at())
  if (person.role !== 'USER') {
    const detail = { role: person.role }
    putEvent(world, 'user.role_changed', at(), world.adminId, person.id, { detail })
    putMail(world, person, 'role_changed', at(), detail)
  }
}

function putSuspension(world: World, person: SeededPerson, earliest: number): void {
  const { random, nowMs } = world
  const at = random.between(earliest, nowMs)
  const reason = random.of(['Spam in comments', 'Asked for by the owner', 'Chargeback', 'Account taken over'])
  putEvent(world, 'user.suspended', at, world.adminId, person.id, { detail: { reason } })
  putMail(world, person, 'account_suspended', at, { reason })
}

function putUndeliverable(world: World, person: SeededPerson, fate: EmailProblem): void {
  const at = world.random.between(Math.max(person.createdAt, world.nowMs - keptMailsMs), world.nowMs)
  const emailId = putMail(world, person, 'new_sign_in', at, {}, { fate, status: 'sent' })
  const detail = { template: 'new_sign_in', reason: fate }
  putEvent(world, 'email.undeliverable', at, null, person.id, { subjectId: emailId ?? null, detail })
}

/** @param actorId who acted; null where nobody had to prove who they are, as for a reset that was asked for */
function putMailWithEvent(
  world: World,
  person: SeededPerson,
  template: string,
  type: AuditType,
  at: number,
  actorId: string | null = null,
): void {
  putEvent(world, type, at, actorId, person.id)
  putMail(world, person, template, at)
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms)
}
