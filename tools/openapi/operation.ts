/** Describes one operation: what its middleware enforces, and the prose about it. */
import * as z from 'zod'
import { isFreeCall } from '../../src/http/confinement.ts'
import type { ProblemCode } from '../../src/problems.ts'
import { describeHeaders } from './headers.ts'
import type { Json } from './json.ts'
import type { ProblemResponses } from './problems.ts'
import type { Answer, Prose } from './prose.ts'
import { recordingOf } from './recorded.ts'
import type { Route } from './routes.ts'

export function describeOperation(route: Route, prose: Prose, problemResponses: ProblemResponses): Json {
  const { operationId, tag, summary, description, answers } = prose
  const parameters = describeParameters(route, prose)
  const recording = route.isStaticFile ? undefined : recordingOf(operationId)
  return {
    operationId,
    tags: [tag],
    summary,
    description: route.permission ? `${description}\n\nNeeds the permission \`${route.permission}\`.` : description,
    security: route.isBearer ? [{ bearer: route.permission ? [route.permission] : [] }] : [],
    ...(parameters.length > 0 && { parameters }),
    ...(route.json && { requestBody: describeBody(route.json, recording?.request) }),
    responses: {
      ...mapValues(answers, (answer, status) =>
        describeAnswer(answer, route, status === String(recording?.status) ? recording?.answer : undefined),
      ),
      ...problemResponses.refer([...problemsOf(route), ...(prose.problems ?? [])], prose.statuses),
    },
    ...(recording && { 'x-codeSamples': [{ lang: 'Shell', label: 'curl', source: recording.curl }] }),
  }
}

/** The problems that the middleware of a route answers with. */
function* problemsOf(route: Route): Iterable<ProblemCode> {
  if (route.isStaticFile) return
  if (route.method !== 'GET') yield 'body_too_large'
  yield 'internal_error'
  if (route.needsContext) yield 'service_unavailable'
  if (route.isLimited) yield 'rate_limited'
  if (route.isBearer) yield 'invalid_token'
  if (route.readsSession && !isFreeCall(route.method, route.path)) {
    yield* ['insufficient_user_authentication', 'factor_enrolment_required'] as const
  }
  if (route.permission) yield 'insufficient_permission'
  if (route.param) yield 'not_found'
  if (route.json) yield* ['malformed_json', 'unsupported_media_type'] as const
  if (route.json ?? route.query) yield 'validation_failed'
}

function describeParameters(route: Route, { operationId, parameters: meanings = {} }: Prose): Json[] {
  const described = [
    ...propertiesOf(route.param).map(([name, schema]) => ({ name, in: 'path', required: true, schema })),
    ...propertiesOf(route.query).map(([name, schema, required]) => ({ name, in: 'query', required, schema })),
  ]
  const known = new Set(described.map(({ name }) => name))
  const stray = Object.keys(meanings).filter((name) => !known.has(name))
  if (stray.length > 0) throw new Error(`${operationId} has no parameter ${stray.join(', ')}.`)
  return described.map(({ name, schema, ...rest }) => {
    const { description: own, ...plain } = schema
    const description = meanings[name] ?? own
    if (description === undefined) throw new Error(`The parameter ${name} of ${operationId} has no description.`)
    return { name, ...rest, description, schema: plain }
  })
}

function describeBody(schema: z.ZodType, example: Json | undefined): Json {
  return { required: true, content: { 'application/json': { schema: describeInput(schema), example } } }
}

function describeAnswer(answer: Answer, { isStaticFile }: Route, recorded: Json | undefined): Json {
  return {
    description: answer.description,
    ...(!isStaticFile && { headers: describeHeaders(answer.headers) }),
    ...(answer.text !== undefined && {
      content: { 'text/plain': { schema: { type: 'string' }, example: answer.text } },
    }),
    ...(answer.schema && {
      content: {
        'application/json': {
          schema: { $ref: `#/components/schemas/${answer.schema}` },
          example: recorded ?? (answer.example as Json),
        },
      },
    }),
  }
}

type ObjectSchema = { readonly [key: string]: Json | undefined }

function propertiesOf(schema: z.ZodType | undefined): [string, ObjectSchema, boolean][] {
  if (!schema) return []
  const { properties = {}, required = [] } = describeInput(schema) as {
    properties?: Record<string, ObjectSchema>
    required?: string[]
  }
  return Object.entries(properties).map(([name, property]) => [name, property, required.includes(name)])
}

/** The JSON Schema of what a client may send. */
function describeInput(schema: z.ZodType): ObjectSchema {
  const { $schema: _dialect, ...described } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    override({ zodSchema, jsonSchema }) {
      // zod describes a number in a query by the pattern of its text, and omits the default of a transformed value.
      if (jsonSchema.type !== 'integer') return
      delete jsonSchema.pattern
      Object.assign(jsonSchema, { default: z.globalRegistry.get(zodSchema)?.['default'] })
    },
  })
  return described as ObjectSchema
}

function mapValues<T>(values: Record<string, T>, map: (value: T, key: string) => Json): Record<string, Json> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value, key)]))
}
