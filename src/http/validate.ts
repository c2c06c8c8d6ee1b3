/** Validates requests with zod. A handler gets the shape that it declares; a broken rule is a 422 that names the field. */
import { zValidator } from '@hono/zod-validator'
import { en } from 'zod/locales'
import * as z from 'zod/mini'
import { AppError, type FieldError } from '../errors.ts'

// zod/mini has no messages of its own. Without `jitless` zod tries whether code may be evaluated, which a CSP reports.
z.config({ ...en(), jitless: true })

/** Marks a middleware with the schema it enforces, for the OpenAPI document. */
export const validates = Symbol('validates')

export function valid<Schema extends z.core.$ZodType, Target extends 'json' | 'query' | 'param'>(
  target: Target,
  schema: Schema,
) {
  const middleware = zValidator(target, schema, (result) => {
    if (result.success) return
    // An id of another form than ours cannot exist.
    if (target === 'param') throw new AppError('not_found')
    throw new AppError('validation_failed', { errors: result.error.issues.map(fieldError) })
  })
  return Object.assign(middleware, { [validates]: { target, schema } })
}

function fieldError(issue: z.core.$ZodIssue): FieldError {
  return { pointer: pointerTo(issue.path), code: codeOf(issue), message: issue.message }
}

/** RFC 6901. */
function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function codeOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom') return String(issue.params?.['code'] ?? 'invalid')
  // zod leaves the input out of its issues, so only the message tells that it was missing.
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined') ? 'required' : issue.code
}
