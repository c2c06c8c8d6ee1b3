/** What people write about an operation. Everything else follows from its route. */
import type { ProblemCode } from '../../src/errors.ts'
import type { AnswerExample, AnswerName } from './answers.ts'
import type { HeaderName } from './headers.ts'
import type { TagName } from './introduction.ts'

export interface Prose {
  operationId: string
  tag: TagName
  summary: string
  description: string
  /** What each parameter means. */
  parameters?: Record<string, string>
  /** What is answered when all goes well, by status. */
  answers: Record<number, Answer>
  /** What only this operation refuses. What its middleware refuses goes without saying. */
  problems?: readonly ProblemCode[]
  isStaticFile?: true
}

export type Answer = EmptyAnswer | { [Name in AnswerName]: JsonAnswer<Name> }[AnswerName]

interface EmptyAnswer {
  description: string
  headers?: readonly HeaderName[]
  schema?: undefined
}

interface JsonAnswer<Name extends AnswerName> {
  description: string
  headers?: readonly HeaderName[]
  schema: Name
  /** Where none is recorded, see recorded.ts. */
  example?: AnswerExample<Name>
}

/** The prose of one resource, by `METHOD /path`. */
export type Operations = Record<`${'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'} /${string}`, Prose>
