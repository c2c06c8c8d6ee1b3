/** Rules that have to stand in two places: the Worker and its static files, the Worker and the client package. */
import { Hono } from 'hono'
import { describe, expect } from 'vitest'
import { postern } from '../../client/src/hono.ts'
import { type AccessToken, InvalidTokenError } from '../../client/src/verifier.ts'
import headersFile from '../../public/_headers?raw'
import { securityHeaders } from '../../src/http/headers.ts'
import { headersFor, parseHeaderRules } from '../browser/support/header-rules.ts'
import { it } from '../support/fixtures.ts'

it('the static files have the security headers of the API, besides a policy and a cache of their own', () => {
  const { 'Cache-Control': _cache, 'Content-Security-Policy': _policy, ...shared } = securityHeaders
  expect(headersFor('/', parseHeaderRules(headersFile))).toMatchObject(shared)
})

describe('the middleware of the client', () => {
  it('takes the same credentials as the service and answers others with the same challenge', async ({
    service,
    ada,
  }) => {
    const good = ada.accessToken
    const verify = async (token: string) => {
      if (token !== good) throw new InvalidTokenError('not good')
      return { permissions: [] as string[] } as AccessToken
    }
    const app = new Hono().get('/', postern({ verify }), (c) => c.body(null, 204))
    app.get('/users', postern({ verify, permission: 'users:read' }))
    const credentials = [
      '',
      'Basic YTpi',
      'Bearer',
      'Bearer ',
      'bearer',
      `Bearer${good}`,
      `Token ${good}`,
      `Bearer ${good}`,
      `bearer ${good}`,
      `BEARER   ${good}  `,
      `Bearer ${good} x`,
      `Bearer "${good}"`,
      `Bearer ${good}=`,
      `Bearer ${good},`,
      `Bearer\t${good}`,
      `Bearer ${good.slice(1)}`,
    ]
    for (const Authorization of credentials) {
      for (const [path, own] of [
        ['/auth/verify', '/'],
        ['/users', '/users'],
      ] as const) {
        const answer = await service.call('GET', path, { headers: { Authorization } })
        const other = await app.request(own, { headers: { Authorization } })
        expect([other.status, other.headers.get('WWW-Authenticate')], `${path} ${Authorization}`).toEqual([
          answer.status,
          answer.headers.get('WWW-Authenticate'),
        ])
      }
    }
  })
})
