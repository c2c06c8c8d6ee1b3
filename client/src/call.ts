/** One call with an access token. */
import { unexpectedAnswer } from './problem.ts'
import type { Method } from './types.ts'
import type { Target } from './wire.ts'

export interface Input extends Target {
  body?: unknown
  signal?: AbortSignal | undefined
}

export type Call = <T>(method: Method, path: string, input?: Input) => Promise<T>

/** @throws {PosternError} `unexpected_answer` */
export async function listIn<T>(name: string, answer: Promise<object>): Promise<T[]> {
  const list: unknown = new Map(Object.entries(await answer)).get(name)
  if (!Array.isArray(list)) throw unexpectedAnswer(`The answer has no ${name}.`)
  return list as T[]
}

/** The input of a call about one thing. */
export function one(id: string, { signal }: { signal?: AbortSignal } = {}, body?: unknown): Input {
  return { path: { id }, body, signal }
}
