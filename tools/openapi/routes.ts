/** Reads the routes of the app and the rules of their middleware. */
import type { ZodType } from 'zod'
import { createApp } from '../../src/app.ts'
import { production } from '../../src/context.ts'
import {
  authenticate,
  authenticateForReading,
  requireToken,
  requires,
  verifyAtEdge,
} from '../../src/http/authenticate.ts'
import { limits } from '../../src/http/limit-rate.ts'
import { validates } from '../../src/http/validate.ts'
import { withContext } from '../../src/http/with-context.ts'
import type { Permission } from '../../src/permissions.ts'

export interface Route {
  method: string
  /** In OpenAPI's notation: `/users/{id}`. */
  path: string
  json?: ZodType
  query?: ZodType
  param?: ZodType
  permission?: Permission
  isBearer: boolean
  /** Whether the session of the token is looked up in the database. */
  readsSession: boolean
  /** Whether it has a rate limit. */
  isLimited: boolean
  /** Whether it needs the configuration, and answers 503 without it. */
  needsContext: boolean
  isStaticFile: boolean
}

interface Tagged {
  [validates]?: { target: 'json' | 'query' | 'param'; schema: ZodType }
  [requires]?: Permission
  [limits]?: string
}

const sessionHandlers = new Set<unknown>([authenticate, authenticateForReading, requireToken])

/** Every route, in the order of the app. The app lists each middleware of a route as a separate entry. */
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
      readsSession: false,
      isLimited: false,
      needsContext: hasContext,
      isStaticFile: false,
    }
    const { [validates]: validated, [requires]: permission, [limits]: limit } = handler as Tagged
    if (validated) route[validated.target] = validated.schema
    if (permission) route.permission = permission
    route.readsSession ||= !!permission || sessionHandlers.has(handler)
    route.isBearer ||= route.readsSession || handler === verifyAtEdge
    // Most writes with a token count towards a limit of their user.
    route.isLimited ||= limit !== undefined || (route.isBearer && method !== 'GET')
    routes.set(name, route)
  }
  return [...routes.values()]
}
