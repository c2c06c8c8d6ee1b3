/** Users, sessions, tokens and events on the wire. Written by hand, so that a new column cannot leak. */
import { accessTokenSeconds } from '../config/policy.ts'
import { timeOf } from '../crypto/random.ts'
import { epochSeconds } from '../crypto/tokens.ts'
import { AppError } from '../errors.ts'
import { ipOfBytes } from '../ip-address.ts'
import type { getUser } from '../services/administration/users.ts'
import type { Activity } from '../services/audit/activity.ts'
import type { EmailPage } from '../services/mail/outbox.ts'
import type { SecondFactorRequired, SignInOutcome } from '../services/factors/second-step.ts'
import type { StepUpOffer, SteppedUp } from '../services/factors/step-up.ts'
import type { Tokens } from '../services/sessions/tokens.ts'
import type { AuditEvent } from '../store/schema/audit.ts'
import type { ListedSession } from '../store/schema/sessions.ts'
import type { User } from '../store/schema/users.ts'

export function userAnswer(user: User) {
  return {
    id: user.id,
    email: user.email,
    role: user.role,
    status: user.status,
    first_name: user.firstName,
    last_name: user.lastName,
    avatar_url: user.avatarUrl,
    bio: user.bio,
    locale: user.locale,
    created_at: timeOf(user.id).toISOString(),
    updated_at: user.updatedAt.toISOString(),
    activated_at: user.activatedAt?.toISOString() ?? null,
    last_login_at: user.lastLoginAt?.toISOString() ?? null,
  }
}

/** The same for users who administer others. */
export function administeredUserAnswer(user: Awaited<ReturnType<typeof getUser>>) {
  return {
    ...userAnswer(user),
    email_deliverable: user.emailProblem === null,
    suspended_by_role: user.suspendedByRole,
    factors: user.factors,
  }
}

/** RFC 6749 §5.1, and the user. */
export function tokenAnswer(tokens: Tokens) {
  return {
    access_token: tokens.accessToken,
    token_type: 'Bearer' as const,
    expires_in: tokens.expiresInSeconds,
    refresh_token: tokens.refreshToken,
    refresh_expires_in: tokens.refreshExpiresInSeconds,
    user: userAnswer(tokens.user),
  }
}

/**
 * The answer to a sign-in: the tokens, the one by which the device is recognized next time, and the one by which it is
 * trusted, if the user asked for it.
 *
 * @throws {AppError} `second_factor_required`, for a sign-in that is not complete
 */
export function signInAnswer(outcome: SignInOutcome) {
  if (outcome.kind === 'second_factor_required') {
    throw new AppError('second_factor_required', { members: secondFactorMembers(outcome) })
  }
  const { tokens, trustToken } = outcome
  const answer = { ...tokenAnswer(tokens), device_token: tokens.deviceToken }
  return trustToken === undefined ? answer : { ...answer, trust_token: trustToken }
}

/** What the problem says about the next step. */
export function secondFactorMembers({ factorToken, factors, passkey, expiresInSeconds }: SecondFactorRequired) {
  return {
    factor_token: factorToken,
    factors,
    passkey: passkey && passkeyOptionsAnswer(passkey),
    expires_in: expiresInSeconds,
  }
}

/** Options for the browser, and the token that has to come back with its response. */
export function passkeyOptionsAnswer<Options>({
  challengeToken,
  publicKey,
}: {
  challengeToken: string
  publicKey: Options
}) {
  return { challenge_token: challengeToken, public_key: publicKey }
}

export function stepUpOptionsAnswer({ methods, ...options }: StepUpOffer) {
  return { ...passkeyOptionsAnswer(options), methods }
}

/** The refresh token stays as it is. */
export function stepUpAnswer({ accessToken, authenticatedAt, acr }: SteppedUp) {
  return {
    access_token: accessToken,
    token_type: 'Bearer' as const,
    expires_in: accessTokenSeconds,
    auth_time: epochSeconds(authenticatedAt),
    acr,
  }
}

export function sessionAnswer(session: ListedSession, currentId: string) {
  return {
    id: session.id,
    created_at: timeOf(session.id).toISOString(),
    last_used_at: session.lastUsedAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
    ip: session.ip && ipOfBytes(session.ip),
    country: session.country,
    user_agent: session.userAgent,
    current: session.id === currentId,
  }
}

export function auditEventAnswer(event: AuditEvent) {
  return {
    id: event.id,
    at: event.at.toISOString(),
    type: event.type,
    actor_id: event.actorId,
    user_id: event.userId,
    ip: event.ip,
    country: event.country,
    user_agent: event.userAgent,
    request_id: event.requestId,
    detail: event.detail,
  }
}

export function activityAnswer(activity: Activity) {
  return {
    id: activity.id,
    at: activity.at.toISOString(),
    type: activity.type,
    actor: activity.actor,
    ip: activity.ip,
    country: activity.country,
    user_agent: activity.userAgent,
    request_id: activity.requestId,
    detail: activity.detail,
  }
}

/** An email of the outbox, without its content. */
export function emailAnswer(email: EmailPage['items'][number]) {
  const isFinished = email.finishedAt !== null
  return {
    id: email.id,
    template: email.template,
    user_id: email.userId,
    recipient: email.recipient === '' ? null : email.recipient,
    status: email.status,
    attempts: email.attempts,
    provider_id: email.providerId,
    fate: email.fate,
    last_error: email.lastError,
    created_at: timeOf(email.id).toISOString(),
    due_at: isFinished ? null : email.dueAt.toISOString(),
    finished_at: email.finishedAt?.toISOString() ?? null,
    delivered_at: email.deliveredAt?.toISOString() ?? null,
  }
}

/** The same text whether an account exists or not (enumeration); the email says the rest. */
export const accepted = {
  registration: { message: 'If the address is right, an email is on its way. Follow the link in it.' },
  activation: { message: 'If this address has an account that is not active yet, an email is on its way.' },
  mailCode: { message: 'An email with a code is on its way, unless the account has a second factor.' },
  emailChange: { message: 'If the address can be used, a link is on its way to it.' },
  passwordReset: { message: 'If there is an account with this address, an email is on its way.' },
}
