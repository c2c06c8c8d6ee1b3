/** Schemas of the answers about the audit trail and its archive. */
import * as z from 'zod'
import type { activityAnswer, auditEventAnswer } from '../../src/routes/answers.ts'
import type { auditArchiveRoutes } from '../../src/routes/audit-archive.ts'
import type { auditRoutes } from '../../src/routes/audit-events.ts'
import type { meRoutes } from '../../src/routes/me.ts'
import { type AuditType, auditTypes } from '../../src/store/schema/audit.ts'
import { country, id, ip, jwt, nextCursor, time, userAgent } from './fields.ts'
import { type Output, exactly } from './wire.ts'

export const auditEvent = exactly<ReturnType<typeof auditEventAnswer> & { type: AuditType }>()(
  z.strictObject({
    id,
    at: time,
    type: z.enum(auditTypes),
    actor_id: id.nullable().meta({ description: 'The user who acted, if known.' }),
    user_id: id.nullable().meta({ description: 'The user who is affected, if known.' }),
    ip,
    country,
    user_agent: userAgent.meta({
      description: `${userAgent.description} Events with which somebody takes or weakens an account have it in any case.`,
    }),
    request_id: z.string().nullable(),
    detail: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
      .nullable()
      .meta({ description: 'Details, which depend on the type.' }),
  }),
).meta({ description: 'An event. It refers to users by id and contains no email address, name or secret.' })

export const activity = exactly<ReturnType<typeof activityAnswer> & { type: AuditType }>()(
  z.strictObject({
    ...auditEvent.omit({ actor_id: true, user_id: true }).shape,
    actor: z.enum(['you', 'administrator']).nullable().meta({
      description:
        'Who acted, or `null` if unknown, as after a refused sign-in. Nothing else is told about an administrator: neither who it was nor from where.',
    }),
  }),
).meta({ description: 'An event of your own account.' })

export const auditEventPage = z.strictObject({
  events: z.array(auditEvent),
  next_cursor: nextCursor,
  archived_before: time.nullable().meta({
    description: 'Events before this instant are in the archive and not in this list; `null` when none is archived.',
  }),
}) satisfies z.ZodType<Output<typeof auditRoutes, '/', '$get'>>

export const archivePage = z.strictObject({
  objects: z.array(
    z.strictObject({
      number: z.int().min(1).meta({ description: 'The place in the archive, from 1 and without gaps.' }),
      name: z.string().meta({ description: 'The name in the bucket.' }),
      digest: z.string().meta({ description: 'The SHA-256 of the seal in base64url, as the database keeps it.' }),
      seal: jwt.nullable().meta({
        description:
          'A JWS by a key of the JWKS, or by one that a later seal names. `null` when the object is missing or cannot be read.',
      }),
      lines: z.string().nullable().meta({ description: 'One event as JSON in each line.' }),
    }),
  ),
  next_cursor: nextCursor,
}) satisfies z.ZodType<Output<typeof auditArchiveRoutes, '/', '$get'>>

export const activityPage = z.strictObject({ events: z.array(activity), next_cursor: nextCursor }) satisfies z.ZodType<
  Output<typeof meRoutes, '/activity', '$get'>
>
