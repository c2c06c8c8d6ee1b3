/** Headers of answers on which clients may rely. */
import { roles } from '../../src/permissions.ts'
import { ids } from './examples.ts'
import type { Json } from './json.ts'

interface Header {
  name: string
  description: string
  schema: Json
  example: Json
}

const headers = {
  RequestId: {
    name: 'X-Request-Id',
    description: 'The id of the request: the one that it sent, if valid, or a new one.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,36}$' },
    example: 'checkout-7f3a',
  },
  NoStore: {
    name: 'Cache-Control',
    description: 'No cache may store this answer.',
    schema: { const: 'no-store' },
    example: 'no-store',
  },
  FiveMinutes: {
    name: 'Cache-Control',
    description: 'Any cache may store the answer for five minutes.',
    schema: { const: 'public, max-age=300' },
    example: 'public, max-age=300',
  },
  Challenge: {
    name: 'WWW-Authenticate',
    description:
      'The challenge of RFC 6750. It has no `error` when the request had no bearer token. For `insufficient_user_authentication` it is that of RFC 9470, with `max_age` and `acr_values`.',
    schema: { type: 'string', pattern: '^Bearer (realm="postern"|error="insufficient_user_authentication")' },
    example: 'Bearer realm="postern", error="invalid_token"',
  },
  RetryAfter: {
    name: 'Retry-After',
    description: 'Seconds to wait before the next attempt.',
    schema: { type: 'integer', minimum: 1 },
    example: 5,
  },
  ChangePasswordPage: {
    name: 'Location',
    description: 'The page for changing the password.',
    schema: { type: 'string', format: 'uri-reference' },
    example: '/reset-password',
  },
  UserId: {
    name: 'X-Auth-User-Id',
    description: 'The `sub` of the token: the id of the user.',
    schema: { type: 'string', format: 'uuid' },
    example: ids.ada,
  },
  SessionId: {
    name: 'X-Auth-Session-Id',
    description: 'The `sid` of the token: the id of the session.',
    schema: { type: 'string', format: 'uuid' },
    example: ids.session,
  },
  Role: {
    name: 'X-Auth-Role',
    description: 'The `role` of the token.',
    schema: { type: 'string', enum: roles },
    example: 'MODERATOR',
  },
  AuthTime: {
    name: 'X-Auth-Time',
    description: 'The `auth_time` of the token: when the user last proved who they are, in seconds.',
    schema: { type: 'integer' },
    example: 1795348800,
  },
  Acr: {
    name: 'X-Auth-Acr',
    description: 'The `acr` of the token: how strong that proof was.',
    schema: { type: 'string', enum: ['urn:postern:1', 'urn:postern:2', 'phr'] },
    example: 'urn:postern:2',
  },
  Scope: {
    name: 'X-Auth-Scope',
    description: 'The `scope` of the token: permissions, separated by spaces. Empty for a USER.',
    schema: { type: 'string' },
    example: 'content:manage users:read profiles:moderate users:suspend',
  },
} as const satisfies Record<string, Header>

export type HeaderName = keyof typeof headers

export function headerComponents(): Record<string, Json> {
  const entries = Object.entries<Header>(headers)
  return Object.fromEntries(
    entries.map(([key, { description, schema, example }]) => [key, { description, required: true, schema, example }]),
  )
}

/** The headers of an answer. A later one replaces an earlier one of the same name. */
export function describeHeaders(more: readonly HeaderName[] = []): Record<string, Json> {
  const names: HeaderName[] = ['RequestId', 'NoStore', ...more]
  return Object.fromEntries(names.map((key) => [headers[key].name, { $ref: `#/components/headers/${key}` }]))
}
