/** zod at the door: what a handler gets has the shape it asked for, and whatever is wrong is a 422 that says where. */
import { zValidator } from '@hono/zod-validator'
import { en } from 'zod/locales'
import * as z from 'zod/mini'
import { AppError, type FieldError } from '../errors.ts'

// zod/mini has no messages of its own.
z.config(en())

/** Marks a middleware with the schema it enforces, from which the OpenAPI document is made. */
export const validates = Symbol('validates')

export function valid<Schema extends z.core.$ZodType, Target extends 'json' | 'query' | 'param'>(
  target: Target,
  schema: Schema,
) {
  const middleware = zValidator(target, schema, (result) => {
    if (result.success) return
    // An id of another form than ours names nothing.
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
  // zod leaves the input out of its issues, lest a value leak: only the message tells that there was none.
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined') ? 'required' : issue.code
}
