/** Problems (RFC 9457), with the codes, statuses and texts of the service's catalogue. */
import * as z from 'zod'
import { type FieldError, fieldErrorCodes } from '../../src/errors.ts'
import { factorTokenSeconds } from '../../src/config/policy.ts'
import { type ProblemCode, problems } from '../../src/problems.ts'
import type { secondFactorMembers } from '../../src/routes/answers.ts'
import { toComponents } from './components.ts'
import { requestId } from './examples.ts'
import { type HeaderName, describeHeaders } from './headers.ts'
import type { Json } from './json.ts'
import { passkeyRequest } from './passkey-answers.ts'
import type { Statuses } from './prose.ts'
import { exactly } from './wire.ts'

const codes = Object.keys(problems) as ProblemCode[]

/** Examples of `errors` for each code. The first has the name of the code itself. */
const errorsOf: Partial<Record<ProblemCode, [FieldError, ...FieldError[]]>> = {
  validation_failed: [{ pointer: '/email', code: 'invalid_email', message: 'must be one e-mail address' }],
  weak_password: [
    { pointer: '/new_password', code: 'too_guessable', message: 'Add more words that are less common.' },
    {
      pointer: '/new_password',
      code: 'breached',
      message:
        'This password is known from a data breach, so it is among the first that attackers try. Choose another one here, and wherever else you use it.',
    },
  ],
}

/** The members of a problem that has more than the common ones. */
const membersOf: Partial<Record<ProblemCode, Json>> = {
  second_factor_required: {
    factor_token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImZhY3Rvcitqd3QifQ.e30.x',
    factors: ['totp', 'recovery_code'],
    passkey: null,
    expires_in: factorTokenSeconds,
  },
}

const problem = z
  .strictObject({
    type: z.string().meta({ format: 'uri-reference', description: '`/problems/` and the code.' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: 'For people to read.' }),
    code: z.enum(codes).meta({ description: 'For programs. The list is complete.' }),
    request_id: z.string().meta({ description: 'The same as the header `X-Request-Id`.' }),
  })
  .meta({
    description: 'The reason why a request was refused (RFC 9457).',
    examples: [problemOf('method_not_allowed', problems.method_not_allowed.status)],
  })

const fieldError = exactly<FieldError>()(
  z.strictObject({
    pointer: z.string().meta({
      format: 'json-pointer',
      description:
        'A JSON Pointer (RFC 6901) to a member of the body or to a query parameter. Empty for the whole body.',
    }),
    code: z.enum(fieldErrorCodes).meta({ description: 'The broken rule, for programs.' }),
    message: z.string().meta({ description: 'How to correct it, for people to read.' }),
  }),
)

const validationProblem = problem
  .safeExtend({ errors: z.array(fieldError).min(1) })
  .meta({ description: 'A problem with fields of a request.' })

const secondFactorProblem = problem
  .safeExtend(
    exactly<Omit<ReturnType<typeof secondFactorMembers>, 'passkey'>>()(
      z.strictObject({
        factor_token: z.string().meta({ description: 'A JWT for `POST /auth/second-factor`.' }),
        factors: z
          .array(z.enum(['passkey', 'totp', 'recovery_code']))
          .meta({ description: 'The kinds that the account has.' }),
        expires_in: z.literal(factorTokenSeconds).meta({ description: 'Seconds until the factor token expires.' }),
      }),
    ).extend({
      passkey: passkeyRequest.nullable().meta({ description: '`null` without a passkey.' }),
    }).shape,
  )
  .meta({ description: 'The password was right, and the account asks for a second factor as well.' })

export function problemComponents(): Record<string, Json> {
  return toComponents({
    Problem: problem,
    ValidationProblem: validationProblem,
    FieldError: fieldError,
    SecondFactorProblem: secondFactorProblem,
  })
}

const headersOf: Partial<Record<ProblemCode, HeaderName[]>> = {
  invalid_token: ['Challenge'],
  insufficient_user_authentication: ['Challenge'],
  rate_limited: ['RetryAfter'],
  service_unavailable: ['RetryAfter'],
}

/** Collects the responses with problems, one component for each set of codes that share a status in an operation. */
export class ProblemResponses {
  readonly #components = new Map<string, Json>()

  /** References to the responses of one operation, by status. */
  refer(possible: Iterable<ProblemCode>, statuses: Statuses = {}): Record<number, Json> {
    const asked = new Set(possible)
    const groups = Map.groupBy(
      // In the order of the catalogue, so that the same set has the same name everywhere.
      codes.filter((code) => asked.has(code)),
      (code) => statuses[code] ?? problems[code].status,
    )
    return Object.fromEntries([...groups].map(([status, group]) => [status, this.#refer(status, group)]))
  }

  components(): Record<string, Json> {
    return Object.fromEntries([...this.#components].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }

  #refer(status: number, group: readonly ProblemCode[]): Json {
    const isUsual = (code: ProblemCode) => problems[code].status === status
    const name = group.map((code) => `${pascalCase(code)}${isUsual(code) ? '' : status}`).join('Or')
    if (!this.#components.has(name)) this.#components.set(name, describe(status, group))
    return { $ref: `#/components/responses/${name}` }
  }
}

function describe(status: number, group: readonly ProblemCode[]): Json {
  const base = group.some((code) => errorsOf[code]) ? 'ValidationProblem' : 'Problem'
  return {
    description: group.map((code) => `\`${code}\`: ${problems[code].detail}`).join('\n\n'),
    headers: describeHeaders(headersOfAll(group)),
    content: {
      'application/problem+json': {
        schema: {
          allOf: [
            schemaOf(base, group),
            { type: 'object', properties: { status: { const: status }, code: { enum: group } } },
          ],
        },
        examples: Object.fromEntries(group.flatMap((code) => examplesOf(code, status))),
      },
    },
  }
}

/** Where a code with members of its own is among others, the answer has one of two schemas. */
function schemaOf(base: string, group: readonly ProblemCode[]): Json {
  const common = { $ref: `#/components/schemas/${base}` }
  if (!group.includes('second_factor_required')) return common
  const withMembers = { $ref: '#/components/schemas/SecondFactorProblem' }
  return group.length === 1 ? withMembers : { anyOf: [withMembers, common] }
}

/** The headers on which a client may rely whichever of the codes it gets. */
function headersOfAll([first, ...others]: readonly ProblemCode[]): HeaderName[] {
  const names = (first && headersOf[first]) ?? []
  return names.filter((name) => others.every((code) => headersOf[code]?.includes(name)))
}

function examplesOf(code: ProblemCode, status: number): [name: string, example: Json][] {
  const summary = problems[code].title
  const [first, ...others] = errorsOf[code] ?? []
  return [
    [code, { summary, value: problemOf(code, status, first) }],
    ...others.map((error): [string, Json] => [
      `${code}_${error.code}`,
      { summary: `${summary} (${error.code})`, value: problemOf(code, status, error) },
    ]),
  ]
}

function problemOf(code: ProblemCode, status: number, error?: FieldError) {
  const { title, detail } = problems[code]
  const body = {
    type: `/problems/${code}`,
    title,
    status,
    detail,
    code,
    request_id: requestId,
    ...(membersOf[code] as object),
  }
  return error ? { ...body, errors: [{ ...error }] } : body
}

function pascalCase(code: string): string {
  return code.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
}
