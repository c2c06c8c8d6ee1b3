import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { setTitle } from '../start.tsx'

interface OutcomeProps {
  title: string
  children: ComponentChildren
}

/** The result of a form. The focus moves to its heading, so that a screen reader continues there. */
export function Outcome({ title, children }: OutcomeProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  useLayoutEffect(() => {
    setTitle(title)
    heading.current?.focus()
  }, [])
  return (
    <>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </>
  )
}
