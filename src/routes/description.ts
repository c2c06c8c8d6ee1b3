import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'

/** A static file in all but the way to it: through the Worker, which has a 405 with `Allow` for any other method. */
export const descriptionRoutes = new Hono<HttpEnv>().get('/openapi.json', (c) => c.env.ASSETS.fetch(c.req.raw))
