/** The types of the API under short names, taken from its OpenAPI document. */
import type { components, operations, paths } from './api.ts'

type Schemas = components['schemas']

export type User = Schemas['User']
/** A user as administrators see it, including whether emails reach the address. */
export type AdministeredUser = Schemas['AdministeredUser']
export type Session = Schemas['Session']
export type Activity = Schemas['Activity']
export type AuditEvent = Schemas['AuditEvent']
export type OutboxEmail = Schemas['OutboxEmail']
export type FactorList = Schemas['Factors']
export type Passkey = Schemas['Passkey']
/** For an authenticator app. Draw the QR code of `uri` in the page: whoever sees it has the secret. */
export type TotpSetup = Schemas['TotpSetup']
/** They are shown once: with the first factor, and when they are renewed. */
export type RecoveryCodes = Schemas['RecoveryCodes']
/** The answer to a new factor. The recovery codes come with the first one. */
export type Enrolled = Schemas['Enrolled']
export type Role = User['role']
export type Permission = Schemas['RoleList']['roles'][number]['permissions'][number]
export type Acceptance = Schemas['Acceptance']
export type TokenAnswer = Schemas['TokenAnswer']

type Json<Content> = Content extends { content: { 'application/json': infer Body } } ? Body : undefined
type BodyOf<Operation> = Operation extends { requestBody: infer Request } ? Json<Request> : undefined
type QueryOf<Operation> = Operation extends { parameters: { query?: infer Query } } ? NonNullable<Query> : never
type PathOf<Operation> = Operation extends { parameters: { path: infer Path } } ? Path : never
type Success<Responses> = Responses[Extract<keyof Responses, 200 | 201 | 202 | 204>]

/** What an operation takes as its body. */
export type Body<Id extends keyof operations> = NonNullable<BodyOf<operations[Id]>>
/** The filters of a list, its page size and its cursor. */
export type Query<Id extends keyof operations> = QueryOf<operations[Id]>
/** What an operation answers on success. */
export type Answer<Id extends keyof operations> = Json<Success<operations[Id]['responses']>>

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
type Operation<M extends Method, P extends keyof paths> = paths[P][M]
/** The paths that take a method. */
export type PathWith<M extends Method> = {
  [P in keyof paths]: undefined extends paths[P][M] ? never : P
}[keyof paths]

type Needed<Key extends string, Value> = [Value] extends [undefined] ? unknown : { [K in Key]: Value }
type Optional<Key extends string, Value> = [Value] extends [never] ? unknown : { [K in Key]?: Value }

/** What a call needs: the parts of its path, its body, its query. */
export type CallInput<M extends Method, P extends keyof paths> = Needed<'path', PathOf<Operation<M, P>>> &
  Needed<'body', BodyOf<Operation<M, P>>> &
  Optional<'query', QueryOf<Operation<M, P>>> &
  CallOptions
export type CallAnswer<M extends Method, P extends keyof paths> =
  Operation<M, P> extends { responses: infer Responses } ? Json<Success<Responses>> : never

export interface CallOptions {
  /** Stops waiting. It does not undo what the call does at the service. */
  signal?: AbortSignal
}
