import { version } from '../../../src/version.ts'
import type { Operations } from '../prose.ts'

export const serviceOperations: Operations = {
  'GET /.well-known/jwks.json': {
    operationId: 'getKeys',
    tag: 'Service',
    summary: 'Read the public keys of access tokens',
    description:
      'A JWK Set (RFC 7517). Accept a token only if its `alg` is that of the key named by its `kid`, its `typ` is `at+jwt`, and `iss` and `aud` are the ones you expect (RFC 9068 §4).',
    answers: {
      200: {
        description: 'The keys.',
        headers: ['FiveMinutes'],
        schema: 'JsonWebKeySet',
      },
    },
  },
  'GET /.well-known/security.txt': {
    operationId: 'getSecurityContact',
    tag: 'Service',
    summary: 'Find out where to report a vulnerability',
    description: 'A security.txt (RFC 9116), when the deployment names a contact.',
    answers: {
      200: {
        description: 'The contact.',
        headers: ['FiveMinutes'],
        text: 'Contact: mailto:security@example.com\nExpires: 2027-05-31T00:00:00.000Z\nCanonical: https://accounts.example.com/.well-known/security.txt\n',
      },
    },
    problems: ['not_found'],
  },
  'GET /.well-known/change-password': {
    operationId: 'findChangePasswordPage',
    tag: 'Service',
    summary: 'Find the page for changing the password',
    description: 'For password managers (W3C, A Well-Known URL for Changing Passwords).',
    answers: { 302: { description: 'A redirect to the page.', headers: ['ChangePasswordPage'] } },
  },
  'GET /openapi.json': {
    operationId: 'getDescription',
    tag: 'Service',
    summary: 'Read this document',
    description: 'A static file, generated from the schemas that validate requests when the service is built.',
    isStaticFile: true,
    answers: {
      200: {
        description: 'This document.',
        schema: 'OpenApiDocument',
        example: { openapi: '3.1.0', info: { title: 'Postern', version } },
      },
    },
    problems: ['not_found', 'service_unavailable'],
  },
  'GET /healthz': {
    operationId: 'getHealth',
    tag: 'Service',
    summary: 'Check whether the service runs',
    description: 'Reads no store and needs no configuration.',
    answers: {
      200: { description: 'The service runs.', schema: 'Health' },
    },
  },
  'GET /readyz': {
    operationId: 'getReadiness',
    tag: 'Service',
    summary: 'Check whether the service can do its work',
    description:
      'Checks the configuration, sends each store a minimal query, and looks whether the database has its migrations and room for more. Says `maintenance` while the operator keeps the service from serving.',
    answers: {
      200: {
        description: 'The service can do its work.',
        schema: 'Readiness',
      },
      503: {
        description: 'The service cannot do its work. `checks` tells what is unavailable.',
        schema: 'Readiness',
        example: { status: 'unavailable', checks: { config: 'ok', d1: 'unavailable', kv: 'ok' } },
      },
    },
  },
}
