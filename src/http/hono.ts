import type { Env } from 'hono'
import { HonoBase } from 'hono/hono-base'
import { PathRouter } from './router.ts'

/** Hono with a router for our paths. */
export class Hono<E extends Env> extends HonoBase<E> {
  constructor() {
    super()
    this.router = new PathRouter()
  }
}
