/** Compiled and never run: what a handler may expect of the middleware in front of it. */
import {
  authenticate,
  authenticateForReading,
  permit,
  requireToken,
  verifyAtEdge,
} from '../../src/http/authenticate.ts'
import type { HttpEnv } from '../../src/http/env.ts'
import { Hono } from '../../src/http/hono.ts'
import { limitRate } from '../../src/http/limit-rate.ts'

new Hono<HttpEnv>()
  .get('/a', authenticate, (c) => c.text(c.get('actor').user.id))
  .get('/b', limitRate('login'), authenticateForReading, (c) => c.text(c.get('actor').user.id))
  .get('/c', permit('users:read'), (c) => c.text(c.get('actor').user.id))
  .get('/d', requireToken, (c) => c.text(c.get('claims').sub))
  .get('/e', verifyAtEdge, (c) => c.text(c.get('claims').sub))
  // @ts-expect-error -- nobody has been asked who calls
  .get('/f', (c) => c.text(c.get('actor').user.id))
  // @ts-expect-error -- a limit asks nobody either
  .get('/g', limitRate('login'), (c) => c.text(c.get('actor').user.id))
  // @ts-expect-error -- what the token says is not what the database says
  .get('/h', verifyAtEdge, (c) => c.text(c.get('actor').user.id))
  // @ts-expect-error -- the middleware of another route does not count
  .get('/i', (c) => c.text(c.get('claims').sub))
