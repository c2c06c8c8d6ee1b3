import type { Route } from '../parts/route.ts'

/** The list of users as it was seen last, to which the page of a user leads back. */
let lastList: Route = {}

export function rememberList(route: Route): void {
  lastList = route
}

export function listSeenLast(): Route {
  return lastList
}
