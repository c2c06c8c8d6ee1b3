import type { Route } from '../parts/route.ts'

/** The list of users as it was last seen. The page of a user leads back to it. */
let lastList: Route = {}

export function rememberList(route: Route): void {
  lastList = route
}

export function listSeenLast(): Route {
  return lastList
}
