/** The texts about an operation. Everything else in the document follows from its route. */
import type { ProblemCode } from '../../src/problems.ts'
import type { AnswerExample, AnswerName } from './answers.ts'
import type { HeaderName } from './headers.ts'
import type { TagName } from './introduction.ts'

export type Statuses = Partial<Record<ProblemCode, number>>

export interface Prose {
  operationId: string
  tag: TagName
  summary: string
  description: string
  /** A description of each parameter. */
  parameters?: Record<string, string>
  /** The successful answers, by status. */
  answers: Record<number, Answer>
  /** The problems of this operation, except those of its middleware. */
  problems?: readonly ProblemCode[]
  /** Of problems that have another status here than in the catalogue. */
  statuses?: Statuses
  isStaticFile?: true
}

export type Answer = EmptyAnswer | TextAnswer | { [Name in AnswerName]: JsonAnswer<Name> }[AnswerName]

interface EmptyAnswer {
  description: string
  headers?: readonly HeaderName[]
  schema?: undefined
  text?: undefined
}

/** A body that is plain text. */
interface TextAnswer {
  description: string
  headers?: readonly HeaderName[]
  schema?: undefined
  /** An example. */
  text: string
}

interface JsonAnswer<Name extends AnswerName> {
  description: string
  headers?: readonly HeaderName[]
  schema: Name
  text?: undefined
  /** Only if none is recorded (recorded.ts). */
  example?: AnswerExample<Name>
}

/** The prose of one resource, by `METHOD /path`. */
export type Operations = Record<`${'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'} /${string}`, Prose>
