import { verifyAtEdge } from '../http/authenticate.ts'
import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'
import { roleRules, roles } from '../permissions.ts'

export const roleRoutes = new Hono<HttpEnv>().get('/', verifyAtEdge, (c) =>
  c.json({ roles: roles.map((role) => ({ role, permissions: roleRules[role].permissions })) }),
)
