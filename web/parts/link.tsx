import type { ComponentChildren } from 'preact'
import { hrefTo } from '../navigation.ts'
import { type Route, addressOf, go } from './route.ts'

interface LinkProps {
  to: Route
  class?: string
  isCurrent?: boolean
  children: ComponentChildren
}

/** A link to another view of the page. With a modifier key it opens a new tab, like any other link. */
export function Link({ to, isCurrent, children, ...rest }: LinkProps) {
  return (
    <a
      {...rest}
      href={hrefTo(addressOf(to))}
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
