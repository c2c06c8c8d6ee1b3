/**
 * Schemas of the answers. The compiler checks them against the functions that build the answers, and every answer in
 * every test is validated against them. They are strict: an answer must not have a field that is missing here.
 */
import * as z from 'zod'
import { accessTokenSeconds, refreshTokenSeconds } from '../../src/config/policy.ts'
import type { administrationRoutes } from '../../src/routes/administration.ts'
import type {
  accepted,
  administeredUserAnswer,
  sessionAnswer,
  signInAnswer,
  tokenAnswer,
  userAnswer,
} from '../../src/routes/answers.ts'
import type { healthRoutes, readinessRoutes } from '../../src/routes/health.ts'
import type { meRoutes } from '../../src/routes/me.ts'
import type { roleRoutes } from '../../src/routes/roles.ts'
import type { wellKnownRoutes } from '../../src/routes/well-known.ts'
import { roleRules, roles } from '../../src/permissions.ts'
import { userStatuses } from '../../src/store/schema/users.ts'
import { activity, activityPage, archivePage, auditEvent, auditEventPage } from './audit-answers.ts'
import { toComponents } from './components.ts'
import { type ExportAnswer, exportMembers, exportedUser } from './export-answer.ts'
import { country, email, id, ip, jwt, nextCursor, time, userAgent } from './fields.ts'
import { enrolled, factors, passkey, recoveryCodes, totpSetup } from './factor-answers.ts'
import type { Json } from './json.ts'
import { outboxEmail, outboxPage, webhookReceipt } from './mail-answers.ts'
import { newPasskey, passkeyCreation, passkeyRequest } from './passkey-answers.ts'
import { stepUp, stepUpOptions } from './step-up-answers.ts'
import { type Output, exactly } from './wire.ts'

const role = z.enum(roles)

const user = exactly<ReturnType<typeof userAnswer>>()(
  z.strictObject({
    id,
    email,
    role,
    status: z.enum(userStatuses),
    first_name: z.string().max(100).nullable(),
    last_name: z.string().max(100).nullable(),
    avatar_url: z.string().max(2048).meta({ format: 'uri' }).nullable(),
    bio: z.string().max(500).nullable(),
    locale: z.string().max(35).nullable().meta({ description: 'A BCP 47 language tag.' }),
    created_at: time,
    updated_at: time,
    activated_at: time.nullable(),
    last_login_at: time.nullable(),
  }),
).meta({ description: 'A user. Absent values are `null`. It never contains a secret or a hash.' })

const administeredUser = exactly<ReturnType<typeof administeredUserAnswer>>()(
  user.extend({
    email_deliverable: z.boolean().meta({
      description: 'False after a permanent bounce or a complaint. No more email is sent to the address then.',
    }),
    // The role of who suspended the account, at that time: whoever ends the suspension needs at least its reach.
    suspended_by_role: role.nullable(),
    factors: z.array(z.enum(['passkey', 'totp'])).meta({ description: 'The kinds of second factor that it has.' }),
  }),
).meta({ description: 'A user, as shown to administrators.' })

/** With the cookie transport, the answer has no refresh token. */
type MaybeInCookie<Answer> = Omit<Answer, 'refresh_token'> & { refresh_token?: string | undefined }

const token = exactly<MaybeInCookie<ReturnType<typeof tokenAnswer>>>()(
  z.strictObject({
    access_token: jwt,
    token_type: z.literal('Bearer'),
    expires_in: z.int().min(1).max(accessTokenSeconds).meta({ description: 'Seconds.' }),
    refresh_token: jwt.optional().meta({ description: 'A JWT. Absent when it is set as a cookie.' }),
    refresh_expires_in: z.int().min(0).max(refreshTokenSeconds).meta({ description: 'Seconds.' }),
    user,
  }),
).meta({ description: 'Both tokens of a session, and the user who is signed in (RFC 6749 §5.1).' })

const signIn = exactly<MaybeInCookie<ReturnType<typeof signInAnswer>>>()(
  token.extend({
    device_token: jwt.meta({
      description:
        'Keep it on the device and send it with the next sign-in or reset request. It is not a credential: it only gives the device its own count of wrong passwords.',
    }),
    trust_token: jwt.optional().meta({
      description:
        'After a second factor with `trust_device`: send it with the next sign-in. Absent when it is set as a cookie.',
    }),
  }),
).meta({
  description:
    'The answer to a sign-in: both tokens of a session, the user who is signed in, and a token by which the device is recognized.',
})

const session = exactly<ReturnType<typeof sessionAnswer>>()(
  z.strictObject({
    id,
    created_at: time,
    last_used_at: time.meta({ description: 'The time of the last refresh, or of the sign-in.' }),
    expires_at: time,
    ip,
    country,
    user_agent: userAgent,
    current: z.boolean().meta({ description: 'Whether this request belongs to the session.' }),
  }),
).meta({ description: 'A device that is signed in.' })

const accountCopy = exactly<ExportAnswer>()(
  z.strictObject({ ...exportMembers, user: user.extend(exportedUser), sessions: z.array(session) }),
).meta({ description: 'Everything that is kept about a user. Absent values are `null`.' })

const userPage = exactly<Output<typeof administrationRoutes, '/', '$get'>>()(
  z.strictObject({ users: z.array(administeredUser), next_cursor: nextCursor }),
)

const sessionList = exactly<Output<typeof meRoutes, '/sessions', '$get'>>()(
  z.strictObject({ sessions: z.array(session) }),
)

const roleList = z.strictObject({
  roles: z.array(z.strictObject({ role, permissions: z.array(z.enum(roleRules.ADMIN.permissions)) })),
}) satisfies z.ZodType<Output<typeof roleRoutes, '/', '$get'>>

const acceptance = exactly<(typeof accepted)[keyof typeof accepted]>()(
  z.strictObject({ message: z.string().meta({ description: 'For people to read. The same for every address.' }) }),
)

const health = exactly<Output<typeof healthRoutes, '/healthz', '$get'> & { status: 'ok' }>()(
  z.strictObject({ status: z.literal('ok'), version: z.string() }),
)

const check = z.enum(['ok', 'unavailable'])
const readiness = exactly<Output<typeof readinessRoutes, '/readyz', '$get'>>()(
  z.strictObject({
    status: z.enum(['ok', 'unavailable', 'maintenance']),
    checks: z.strictObject({
      config: check,
      d1: z.enum(['ok', 'unavailable', 'behind', 'filling', 'nearly_full', 'full']).meta({
        description:
          '`behind`: migrations are missing. `filling`: from 80 % of its size on. `nearly_full`: from 90 % on, where registration and requests for emails are refused. `full`: it can be read, but most writes fail.',
      }),
      kv: check,
    }),
    missing_migrations: z.optional(z.array(z.string())).meta({ description: 'When `d1` is `behind`: which ones.' }),
    warnings: z.optional(z.array(z.enum(['second_factor_unset', 'foreign_passkeys']))).meta({
      description:
        'What works and is not as it should be. `second_factor_unset`: the variable `SECOND_FACTOR` is not set. `foreign_passkeys`: some passkeys were made for another `WEBAUTHN_RP_ID` and cannot be used.',
    }),
  }),
)

const keyUse = { kid: z.string(), use: z.literal('sig') }
const coordinate = z.string().regex(/^[\w-]{43}$/)
const keySet = z.strictObject({
  keys: z.array(
    z.union([
      z.strictObject({
        kty: z.literal('OKP'),
        crv: z.literal('Ed25519'),
        x: coordinate,
        alg: z.literal('EdDSA'),
        ...keyUse,
      }),
      z.strictObject({
        kty: z.literal('EC'),
        crv: z.literal('P-256'),
        x: coordinate,
        y: coordinate,
        alg: z.literal('ES256'),
        ...keyUse,
      }),
    ]),
  ),
}) satisfies z.ZodType<Output<typeof wellKnownRoutes, '/jwks.json', '$get'>>

const document = z.looseObject({ openapi: z.literal('3.1.0'), info: z.looseObject({ version: z.string() }) })

const answers = {
  User: user,
  AdministeredUser: administeredUser,
  TokenAnswer: token,
  SignInAnswer: signIn,
  PasskeyRequest: passkeyRequest,
  PasskeyCreation: passkeyCreation,
  NewPasskey: newPasskey,
  StepUpOptions: stepUpOptions,
  StepUpAnswer: stepUp,
  Session: session,
  SessionList: sessionList,
  UserPage: userPage,
  AuditEvent: auditEvent,
  AuditEventPage: auditEventPage,
  AuditArchivePage: archivePage,
  Activity: activity,
  ActivityPage: activityPage,
  OutboxEmail: outboxEmail,
  OutboxPage: outboxPage,
  Factors: factors,
  Passkey: passkey,
  TotpSetup: totpSetup,
  Enrolled: enrolled,
  RecoveryCodes: recoveryCodes,
  RoleList: roleList,
  Acceptance: acceptance,
  Export: accountCopy,
  Health: health,
  Readiness: readiness,
  JsonWebKeySet: keySet,
  WebhookReceipt: webhookReceipt,
  OpenApiDocument: document,
}

export type AnswerName = keyof typeof answers
export type AnswerExample<Name extends AnswerName> = z.output<(typeof answers)[Name]>

export function answerComponents(): Record<string, Json> {
  return toComponents(answers)
}
