/** The current view of a page, kept in its address so that links, reloading and the back button work. */
import { useEffect, useState } from 'preact/hooks'
import { showAddress } from '../navigation.ts'

export type Route = Readonly<Record<string, string>>

export function currentRoute(): Route {
  return Object.fromEntries(new URLSearchParams(location.search))
}

const listeners = new Set<() => void>()
addEventListener('popstate', () => listeners.forEach((listen) => listen()))

export function addressOf(route: Route): string {
  const search = String(new URLSearchParams(Object.entries(route).filter(([, value]) => value !== '')))
  return location.pathname + (search && `?${search}`)
}

interface Move {
  /** Replaces the history entry, for text that changes with every key. */
  isReplacing?: boolean
  /** Kept with the history entry, also when the page is loaded again. */
  state?: unknown
}

export function go(route: Route, { isReplacing = false, state }: Move = {}): void {
  showAddress(addressOf(route), { isReplacing, state })
  for (const listen of listeners) listen()
}

export function useRoute(): Route {
  const [route, setRoute] = useState(currentRoute)
  useEffect(() => {
    const listen = () => setRoute(currentRoute())
    listeners.add(listen)
    return () => void listeners.delete(listen)
  }, [])
  return route
}
