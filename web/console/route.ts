/** The current view of the console, kept in the address so that links, reloading and the back button work. */
import { useEffect, useState } from 'preact/hooks'
import { showAddress } from '../navigation.ts'

export type Route = Readonly<Record<string, string>>

function read(): Route {
  return Object.fromEntries(new URLSearchParams(location.search))
}

const listeners = new Set<() => void>()
addEventListener('popstate', () => listeners.forEach((listen) => listen()))

export function addressOf(route: Route): string {
  const search = String(new URLSearchParams(Object.entries(route).filter(([, value]) => value !== '')))
  return `/console${search && `?${search}`}`
}

/** @param replace replaces the history entry, for text that changes with every key */
export function go(route: Route, replace = false): void {
  showAddress(addressOf(route), { isReplacing: replace })
  for (const listen of listeners) listen()
}

export function useRoute(): Route {
  const [route, setRoute] = useState(read)
  useEffect(() => {
    const listen = () => setRoute(read())
    listeners.add(listen)
    return () => void listeners.delete(listen)
  }, [])
  return route
}
