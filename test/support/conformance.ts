/** Holds every answer of every test to public/openapi.json: nothing undocumented is ever answered. */
import { Validator } from '@cfworker/json-schema'
import { type Operation, type Response, type Schema, description, findOperation, resolve } from './description.ts'

/** An answer of the service. */
export interface Answer<Json = unknown> {
  status: number
  headers: Headers
  text: string
  json: Json
}

/** What a path or method that the document doesn't know can be answered with. */
const elsewhere: Operation = {
  description: '',
  operationId: 'none: the document does not know it',
  security: [],
  responses: {
    404: problemOrPage('not_found'),
    405: problemOrPage('method_not_allowed'),
    413: onlyProblem('body_too_large'),
    503: problemOrPage('service_unavailable'),
  },
}

/** What a page of an allowed origin is told before it may call anything at all. */
const preflight: Operation = { ...elsewhere, responses: { ...elsewhere.responses, 204: {} } }

/** @throws {Error} when a status, a media type, a header or a body is not as documented for the operation. */
export function checkAnswer(method: string, path: string, answer: Answer): void {
  const operation = findOperation(method, path) ?? (method === 'OPTIONS' ? preflight : elsewhere)
  // Browsers come here when a password manager leads them, so people may see why they are led no further.
  const isForPeople =
    operation.operationId === 'findChangePasswordPage' && answer.headers.get('Content-Type')?.startsWith('text/html')
  const found = isForPeople ? elsewhere.responses[answer.status] : operation.responses[answer.status]
  const mistakes = found ? mistakesInAnswer(resolve(found), answer, method) : ['the status is not documented']
  if (mistakes.length === 0) return
  const request = `${method} ${path} (operation ${operation.operationId})`
  throw new Error(`${request} answered ${answer.status} ${answer.text}, but ${mistakes.join('; ')}`)
}

/**
 * What is wrong with a value, by a schema of the document. The document allows fields that are added later. Here, a field
 * that it does not name is a mistake.
 */
export function mistakesIn(schema: Schema, value: unknown): string[] {
  return errorsBy(closedValidators, { ...schema, components: { schemas: closedSchemas } }, schema, value)
}

/** The same for a client that has only the document. */
export function mistakesForClients(schema: Schema, value: unknown): string[] {
  return errorsBy(validators, { ...schema, components: { schemas: description.components.schemas } }, schema, value)
}

/** References lead into the document, so that part of it comes along in `complete`. */
function errorsBy(cache: Map<Schema, Validator>, complete: Schema, schema: Schema, value: unknown): string[] {
  const validator = cache.get(schema) ?? new Validator(complete, '2020-12', false)
  cache.set(schema, validator)
  return validator.validate(value).errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`)
}

const validators = new Map<Schema, Validator>()
const closedValidators = new Map<Schema, Validator>()
const closedSchemas = closed(description.components.schemas)

function closed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(closed)
  const parts = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, closed(part)]))
  const isObject = parts['type'] === 'object' && 'properties' in parts && !('additionalProperties' in parts)
  return isObject ? { ...parts, additionalProperties: false } : parts
}

function mistakesInAnswer({ headers = {}, content = {} }: Response, answer: Answer, method: string): string[] {
  const mistakes = Object.entries(headers).flatMap(([name, header]) =>
    mistakesInHeader(name, resolve(header).schema, answer.headers.get(name)),
  )
  const mediaType = answer.headers.get('Content-Type')?.split(';')[0]
  const body = mediaType === undefined ? undefined : content[mediaType]
  if (body) {
    if (mediaType === 'text/html') return mistakes
    if (answer.text !== '')
      mistakes.push(...mistakesIn(body.schema, mediaType === 'text/plain' ? answer.text : answer.json))
    else if (method !== 'HEAD') mistakes.push('the documented body is missing')
  } else {
    if (mediaType !== undefined || Object.keys(content).length > 0) {
      mistakes.push(`the media type ${mediaType} is not documented`)
    }
    if (answer.text !== '') mistakes.push('no body is documented')
  }
  return mistakes
}

function mistakesInHeader(name: string, schema: Schema, value: string | null): string[] {
  if (value === null) return [`the header ${name} is missing`]
  return mistakesIn(schema, schema['type'] === 'integer' ? Number(value) : value).map(
    (mistake) => `in the header ${name} ${mistake}`,
  )
}

/** At an address that is none of the API's, a browser gets a page. */
function problemOrPage(code: string): Response {
  return { content: { ...onlyProblem(code).content, 'text/html': { schema: {} } } }
}

function onlyProblem(code: string): Response {
  const schema = { allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { code: { const: code } } }] }
  return { content: { 'application/problem+json': { schema } } }
}
