/** public/openapi.json, as far as tests read it. */
import text from '../../public/openapi.json'

export interface Schema {
  readonly [keyword: string]: unknown
}

interface Reference {
  $ref: string
}

export interface Described {
  schema: Schema
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

export interface Response {
  headers?: Record<string, Described | Reference>
  content?: Record<string, Described>
}

export interface Operation {
  description: string
  operationId: string
  security: { bearer?: string[] }[]
  parameters?: (Described & { name: string })[]
  requestBody?: { content: Record<string, Described> }
  responses: Record<string, Response | Reference>
}

interface Description {
  info: { version: string }
  paths: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, Schema>
    responses: Record<string, Response>
    headers: Record<string, Described>
  }
}

export const description = text as unknown as Description

/** What a reference leads to; anything else as it is. */
export function resolve<T extends object>(found: T | Reference): T {
  if (!('$ref' in found)) return found
  const keys = found.$ref.replace('#/', '').split('/')
  return keys.reduce((value: unknown, key) => (value as Record<string, unknown>)[key], description) as T
}

/** The operation that answers a request. Of several paths that match, the one that says most about it is meant. */
export function findOperation(method: string, path: string): Operation | undefined {
  const { pathname } = new URL(path, 'https://accounts.example.com')
  // Whatever answers GET answers HEAD.
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
  return Object.entries(description.paths)
    .filter(([template, item]) => Object.hasOwn(item, verb) && matches(template, pathname))
    .toSorted(([a], [b]) => a.split('{').length - b.split('{').length)[0]?.[1][verb]
}

function matches(template: string, pathname: string): boolean {
  const [wanted, given] = [template.split('/'), pathname.split('/')]
  return (
    wanted.length === given.length &&
    wanted.every((segment, place) => (segment.startsWith('{') ? given[place] !== '' : segment === given[place]))
  )
}
