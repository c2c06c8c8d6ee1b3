import type { Router } from 'hono/router'

interface Route<T> {
  method: string
  path: string
  /** `undefined` when it is for every path. */
  segments: string[] | undefined
  handler: T
}

/**
 * A router for the paths that we have: plain ones, `:name` for one segment, and `/*` for every path. Handlers are found
 * in the order in which they were added, which is how Hono runs them. Of Hono's own routers, the smallest that can do
 * this is a kilobyte larger, and each searches again for a path that it has searched for before.
 */
export class PathRouter<T> implements Router<T> {
  readonly name = 'PathRouter'
  readonly #routes: Route<T>[] = []
  /** What was found for paths without a parameter, by method and path. Nothing else is kept: such paths are few. */
  readonly #found = new Map<string, [[T, Record<string, string>][]]>()

  /** @throws {TypeError} for any other pattern, which would never be found */
  add(method: string, path: string, handler: T): void {
    const segments = path === '/*' ? undefined : path.split('/')
    if (segments && /[*?{]/.test(path)) throw new TypeError(`not a path for this router: ${path}`)
    this.#routes.push({ method, path, segments, handler })
    this.#found.clear()
  }

  match(method: string, path: string): [[T, Record<string, string>][]] {
    const key = `${method} ${path}`
    const known = this.#found.get(key)
    if (known) return known
    const parts = path.split('/')
    const handlers: [T, Record<string, string>][] = []
    let isPlain = false
    for (const route of this.#routes) {
      const params = route.method === method || route.method === 'ALL' ? paramsOf(route.segments, parts) : undefined
      if (!params) continue
      handlers.push([route.handler, params])
      isPlain ||= route.path === path
    }
    if (isPlain) this.#found.set(key, [handlers])
    return [handlers]
  }
}

/** The parameters in a path, or `undefined` for another path. No segment that is a parameter is empty. */
function paramsOf(segments: string[] | undefined, parts: string[]): Record<string, string> | undefined {
  if (!segments) return {}
  if (segments.length !== parts.length) return undefined
  const params: [name: string, value: string][] = []
  for (const [index, segment] of segments.entries()) {
    const part = parts[index]!
    if (segment.startsWith(':') && part !== '') params.push([segment.slice(1), part])
    else if (segment !== part) return undefined
  }
  return Object.fromEntries(params)
}
