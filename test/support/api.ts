/** The API as tests call it: by operation, with the types of the OpenAPI document. */
import { expect } from 'vitest'
import type { operations } from '../../client/src/api.ts'
import { expectProblem } from './answers.ts'
import { type Operation, description } from './description.ts'
import type { Answer, Call, Service } from './service.ts'

export type OperationId = keyof operations
type Responses<Id extends OperationId> = operations[Id]['responses']
type Json<Response> = Response extends { content: infer Content } ? Content[keyof Content] : undefined
type SuccessStatus<Id extends OperationId> = Extract<keyof Responses<Id>, 200 | 201 | 202 | 204 | 302>
type RefusalStatus<Id extends OperationId> = Exclude<keyof Responses<Id>, SuccessStatus<Id>> & number

/** Every documented answer to an operation, told apart by `status`. */
export type AnswerTo<Id extends OperationId> = Id extends OperationId
  ? { [Status in keyof Responses<Id>]: Answer<Json<Responses<Id>[Status]>> & { status: Status } }[keyof Responses<Id>]
  : never

export type Success<Id extends OperationId> = Json<Responses<Id>[SuccessStatus<Id>]>
type Refusal<Id extends OperationId, Status> = Status extends keyof Responses<Id> ? Json<Responses<Id>[Status]> : never
type CodeOf<Problem> = Problem extends { code?: infer Code } ? NonNullable<Code> & string : never

export type BodyOf<Id extends OperationId> = operations[Id] extends { requestBody: { content: infer Content } }
  ? Content[keyof Content]
  : never
export type QueryOf<Id extends OperationId> = NonNullable<operations[Id]['parameters']['query']>

/** A call of an operation. What is wrong on purpose is allowed here; the methods of `Caller` take only what is right. */
export interface Input extends Call {
  /** The `{id}` of the path, as it is: it is not encoded. */
  id?: string
  /** A string goes into the URL as it is. */
  query?: object | string
}

/** A call that was made. Awaiting it expects success and gives the body. */
export interface Reply<Id extends OperationId> extends Promise<Success<Id>> {
  /** Whatever was answered. */
  answer: Promise<AnswerTo<Id>>
  /** Expects a refusal and gives the problem. */
  refused: <Status extends RefusalStatus<Id>>(
    status: Status,
    code: CodeOf<Refusal<Id, Status>>,
  ) => Promise<Refusal<Id, Status>>
}

export function callOperation<Id extends OperationId>(service: Service, operation: Id, input: Input = {}): Reply<Id> {
  const { id, query = {}, ...call } = input
  const { method, template } = documented.get(operation)!
  const parameters = typeof query === 'string' ? query : new URLSearchParams(Object.entries(query)).toString()
  const path = template.replace('{id}', () => id ?? '') + (parameters && `?${parameters}`)
  const answer = service.call(method, path, call)
  const body = answer.then(bodyOfSuccess)
  // Whoever asks for the answer or for a refusal does not look at this one.
  body.catch(() => undefined)
  const refused = async (status: number, code: string) => {
    const refusal = await answer
    expectProblem(refusal, status, code)
    return refusal.json
  }
  return Object.assign(body, { answer, refused }) as unknown as Reply<Id>
}

function bodyOfSuccess({ status, headers, text, json }: Answer): unknown {
  expect([200, 201, 202, 204, 302], `${status} ${text}`).toContain(status)
  if (status === 200) expect(headers.get('Content-Type')).toMatch(/^application\/json/)
  if (status === 204) {
    expect(text).toBe('')
    expect(headers.get('Cache-Control')).toBe('no-store')
  }
  return json
}

/** Whether the operation is for somebody who is signed in. */
export function takesToken(operation: OperationId): boolean {
  return documented.get(operation)!.security.some((scheme) => 'bearer' in scheme)
}

interface DocumentedOperation extends Operation {
  method: string
  /** The path as in the document: with `{id}`. */
  template: string
}

/** Every operation of the document, by its id. */
export const documented: ReadonlyMap<string, DocumentedOperation> = new Map(
  Object.entries(description.paths).flatMap(([template, item]) =>
    Object.entries(item)
      .filter(([, operation]) => 'operationId' in operation)
      .map(([verb, operation]) => [operation.operationId, { ...operation, method: verb.toUpperCase(), template }]),
  ),
)
