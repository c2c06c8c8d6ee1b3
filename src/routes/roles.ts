import { verifyAtEdge } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { valid } from '../http/validate.ts'
import { roleRules, roles } from '../permissions.ts'
import { noParameters } from './fields.ts'

export const roleRoutes = new Hono<HttpEnv>().get('/', verifyAtEdge, valid('query', noParameters), (c) =>
  c.json({ roles: roles.map((role) => ({ role, permissions: roleRules[role].permissions })) }),
)
