/** What the app itself says about its routes, read from their middleware. */
import type { ZodType } from 'zod'
import { createApp } from '../../src/app.ts'
import { production } from '../../src/context.ts'
import { authenticate, requireToken, requires, verifyAtEdge } from '../../src/http/authenticate.ts'
import { limits } from '../../src/http/limit-rate.ts'
import { validates } from '../../src/http/validate.ts'
import { withContext } from '../../src/http/with-context.ts'
import type { Permission } from '../../src/permissions.ts'

export interface Route {
  method: string
  /** As OpenAPI spells it: `/users/{id}`. */
  path: string
  json?: ZodType
  query?: ZodType
  param?: ZodType
  permission?: Permission
  isBearer: boolean
  /** Whether it is counted how often a client calls it. */
  isLimited: boolean
  /** Whether it needs the configuration, without which it answers 503. */
  needsContext: boolean
  isStaticFile: boolean
}

interface Tagged {
  [validates]?: { target: 'json' | 'query' | 'param'; schema: ZodType }
  [requires]?: Permission
  [limits]?: string
}

/** Every route of the app, in its order. Each middleware of a route is an entry of its own in the app's list. */
export function readRoutes(): Route[] {
  const routes = new Map<string, Route>()
  let hasContext = false
  for (const { method, path: pattern, handler } of createApp(production).routes) {
    hasContext ||= handler === withContext
    if (method === 'ALL') continue
    const path = pattern.replaceAll(/:(\w+)/g, '{$1}')
    const name = `${method} ${path}`
    const route = routes.get(name) ?? {
      method,
      path,
      isBearer: false,
      isLimited: false,
      needsContext: hasContext,
      isStaticFile: false,
    }
    const { [validates]: validated, [requires]: permission, [limits]: limit } = handler as Tagged
    if (validated) route[validated.target] = validated.schema
    if (permission) route.permission = permission
    route.isBearer ||= !!permission || handler === authenticate || handler === requireToken || handler === verifyAtEdge
    route.isLimited ||= limit !== undefined
    routes.set(name, route)
  }
  return [...routes.values()]
}
