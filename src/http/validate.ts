/** Validates requests with zod. A handler gets the shape that it declares; a broken rule is a 422 that names the field. */
import { zValidator } from '@hono/zod-validator'
import * as z from 'zod/mini'
import { AppError, type FieldError, type FieldErrorCode, fieldErrorCodes } from '../errors.ts'
import { assertJson } from './body.ts'

// zod/mini has no messages of its own. Without `jitless` zod tries whether code may be evaluated, which a CSP reports.
z.config({ localeError: messageOf, jitless: true })

/** Marks a middleware with the schema it enforces, for the OpenAPI document. */
export const validates = Symbol('validates')

/** How many unknown parameters an answer names, so that it stays as small as other answers. */
const maxNamed = 10

/**
 * A body has to be JSON, as `assertJson` says: it is asked here, so that no route forgets it. Unknown members of a body
 * are ignored. An unknown parameter of a query is refused, because a list that ignores a filter shows something else than
 * was asked for.
 *
 * @throws {AppError} `validation_failed`; `not_found` for the parameter of a path; as `assertJson`
 */
export function valid<Schema extends z.core.$ZodType, Target extends 'json' | 'query' | 'param'>(
  target: Target,
  schema: Schema,
) {
  const judge = zValidator(target, schema, (result, c) => {
    // An id of another form than ours cannot exist.
    if (target === 'param' && !result.success) throw new AppError('not_found')
    const unknown = target === 'query' ? unknownParameters(c.req.url, schema) : []
    const errors = [...unknown, ...(result.success ? [] : result.error.issues.map(fieldError))]
    if (errors.length > 0) throw new AppError('validation_failed', { errors })
  })
  const judgeJson: typeof judge = async (c, next) => {
    await assertJson(c.req)
    return judge(c, next)
  }
  const middleware = target === 'json' ? judgeJson : judge
  return Object.assign(middleware, { [validates]: { target, schema } })
}

/** Reads the URL itself, because the parsed query has lost a parameter that is called `__proto__`. */
function unknownParameters(url: string, schema: z.core.$ZodType): FieldError[] {
  const { shape = {} } = schema as { shape?: object }
  const known = Object.keys(shape)
  const names = new Set(new URL(url).searchParams.keys())
  const unknown = [...names].filter((name) => !known.includes(name)).slice(0, maxNamed)
  const message =
    known.length > 0 ? `is not a parameter here; there are ${known.join(', ')}` : 'is not a parameter here'
  return unknown.map((name) => ({ pointer: pointerTo([name]), code: 'unknown_parameter', message }))
}

function fieldError(issue: z.core.$ZodIssue): FieldError {
  return { pointer: pointerTo(issue.path), code: codeOf(issue), message: issue.message }
}

/** zod's English messages, for the kinds of fields that there are here: all of them are 1 kB gzipped. */
function messageOf(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'invalid_type') return `Invalid input: expected ${issue.expected}, received ${typeOf(issue.input)}`
  if (issue.code === 'invalid_value') return `Invalid option: expected one of ${issue.values.map(quoted).join('|')}`
  if (issue.code === 'too_small') {
    return `Too small: expected ${issue.origin} to have >=${issue.minimum} ${unitOf(issue.origin)}`
  }
  if (issue.code === 'too_big') {
    return `Too big: expected ${issue.origin} to have <=${issue.maximum} ${unitOf(issue.origin)}`
  }
  return 'Invalid input'
}

function unitOf(origin: string): string {
  return origin === 'array' ? 'items' : 'characters'
}

function quoted(word: unknown): string {
  return JSON.stringify(word)
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

/** RFC 6901. */
function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** A rule without a code of its own is `invalid`: programs and pages know every code. */
function codeOf(issue: z.core.$ZodIssue): FieldErrorCode {
  // zod leaves the input out of its issues, so only the message tells that it was missing.
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) return 'required'
  const code: unknown = issue.code === 'custom' ? issue.params?.['code'] : issue.code
  return fieldErrorCodes.find((known) => known === code) ?? 'invalid'
}
