import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'

/** A static file that passes through the Worker, so that other methods get a 405 with `Allow`. */
export const descriptionRoutes = new Hono<HttpEnv>().get('/openapi.json', (c) => c.env.ASSETS.fetch(c.req.raw))
