import type { Env } from 'hono'
import { HonoBase } from 'hono/hono-base'
import { TrieRouter } from 'hono/router/trie-router'

/**
 * Hono with one of its three routers. The default preset is a kilobyte larger, and its fastest router does not support
 * paths like ours (`/users/me` beside `/users/:id`), so it would fall back to this one anyway.
 */
export class Hono<E extends Env> extends HonoBase<E> {
  constructor() {
    super()
    this.router = new TrieRouter()
  }
}
