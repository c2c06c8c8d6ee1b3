import type { HttpEnv } from '../http/env.ts'
import { Hono } from '../http/hono.ts'

/** A static file that passes through the Worker, so that other methods get a 405 with `Allow`. */
export const descriptionRoutes = new Hono<HttpEnv>().get('/openapi.json', async (c) => {
  const file = await c.env.ASSETS.fetch(c.req.raw)
  // A copy, because the headers of what `fetch` gives cannot be changed.
  return new Response(file.body, file)
})
