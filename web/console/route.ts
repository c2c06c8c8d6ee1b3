/** The current view of the console, kept in the address so that links, reloading and the back button work. */
import { useEffect, useState } from 'preact/hooks'

export type Route = Readonly<Record<string, string>>

function read(): Route {
  return Object.fromEntries(new URLSearchParams(location.search))
}

const listeners = new Set<() => void>()
addEventListener('popstate', () => listeners.forEach((listen) => listen()))

/** @param replace replaces the history entry, for text that changes with every key */
export function go(route: Route, replace = false): void {
  const asked = Object.entries(route).filter(([, value]) => value !== '')
  const search = String(new URLSearchParams(asked))
  history[replace ? 'replaceState' : 'pushState'](null, '', `/console${search && `?${search}`}`)
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
