/** Paging through a list whose answers only say where the next page starts. */
import { useEffect, useState } from 'preact/hooks'
import { words } from './texts/words.ts'

export interface Pages {
  cursor: string | undefined
  number: number
  next: (cursor: string) => void
  previous: () => void
}

/** Starts again at the first page whenever the filters change. */
export function usePages(filters: string): Pages {
  const [cursors, setCursors] = useState<string[]>([])
  useEffect(() => setCursors([]), [filters])
  return {
    cursor: cursors.at(-1),
    number: cursors.length + 1,
    next: (cursor) => setCursors([...cursors, cursor]),
    previous: () => setCursors(cursors.slice(0, -1)),
  }
}

export function Pager({ pages, next }: { pages: Pages; next: string | null }) {
  if (pages.number === 1 && next === null) return null
  return (
    <nav class="actions" aria-label={words.pages}>
      <button type="button" class="quiet" disabled={pages.number === 1} onClick={pages.previous}>
        {words.previous}
      </button>
      <span>{words.page(pages.number)}</span>
      <button type="button" class="quiet" disabled={next === null} onClick={() => next !== null && pages.next(next)}>
        {words.next}
      </button>
    </nav>
  )
}
