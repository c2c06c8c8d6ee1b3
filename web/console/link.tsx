import type { ComponentChildren } from 'preact'
import { type Route, go } from './route.ts'

interface LinkProps {
  to: Route
  class?: string
  isCurrent?: boolean
  children: ComponentChildren
}

/** A link within the console. With a modifier key it opens a new tab, like any other link. */
export function Link({ to, isCurrent, children, ...rest }: LinkProps) {
  return (
    <a
      {...rest}
      href={`/console?${new URLSearchParams(to)}`}
      aria-current={isCurrent ? 'page' : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return
        event.preventDefault()
        go(to)
      }}
    >
      {children}
    </a>
  )
}
