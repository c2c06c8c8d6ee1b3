import { version } from '../../../src/version.ts'
import type { Operations } from '../prose.ts'

export const serviceOperations: Operations = {
  'GET /.well-known/jwks.json': {
    operationId: 'getKeys',
    tag: 'Service',
    summary: 'Read the public keys of access tokens',
    description:
      'A JWK Set (RFC 7517). Accept a token only with the `alg` of the key that its `kid` names, `typ: at+jwt`, and your `iss` and `aud` (RFC 9068 §4).',
    answers: {
      200: {
        description: 'The keys.',
        headers: ['FiveMinutes'],
        schema: 'JsonWebKeySet',
      },
    },
  },
  'GET /.well-known/change-password': {
    operationId: 'findChangePasswordPage',
    tag: 'Service',
    summary: 'Find the page where a password is changed',
    description: 'For password managers (W3C, A Well-Known URL for Changing Passwords).',
    answers: { 302: { description: 'There it is.', headers: ['ChangePasswordPage'] } },
  },
  'GET /openapi.json': {
    operationId: 'getDescription',
    tag: 'Service',
    summary: 'Read this document',
    description: 'A static file, made from the schemas that validate when the service was built.',
    isStaticFile: true,
    answers: {
      200: {
        description: 'This document.',
        schema: 'OpenApiDocument',
        example: { openapi: '3.1.0', info: { title: 'Postern', version } },
      },
    },
    problems: ['not_found'],
  },
  'GET /healthz': {
    operationId: 'getHealth',
    tag: 'Service',
    summary: 'Ask whether the service runs',
    description: 'Touches no store and needs no configuration.',
    answers: {
      200: { description: 'It runs.', schema: 'Health' },
    },
  },
  'GET /readyz': {
    operationId: 'getReadiness',
    tag: 'Service',
    summary: 'Ask whether the service can do its work',
    description: 'Asks each store the smallest question there is.',
    answers: {
      200: {
        description: 'It can.',
        schema: 'Readiness',
      },
      503: {
        description: 'It cannot, and which store is to blame.',
        schema: 'Readiness',
        example: { status: 'unavailable', checks: { config: 'ok', d1: 'unavailable', kv: 'ok' } },
      },
    },
  },
}
