/** Paging through a list whose answers only say where the next page starts. The page is in the address. */
import { useEffect } from 'preact/hooks'
import { hasCode } from '../failures.ts'
import { keptWithAddress } from '../navigation.ts'
import { type Route, currentRoute, go } from '../parts/route.ts'
import { words } from './texts/words.ts'

/** Lists on the same page keep their cursors under different names in the address. */
export type ListName = 'list' | 'events' | 'emails'
const lists: readonly ListName[] = ['list', 'events', 'emails']

export interface Pages {
  cursor: string | undefined
  number: number
  next: (cursor: string) => void
  /** Absent on the first page, and where the pages before are not known, as behind a link from somebody else. */
  previous: (() => void) | undefined
  first: (isReplacing?: boolean) => void
}

/** By cursor: all cursors up to it, for the way back. Also kept with the history entry, which survives a reload. */
const trails = new Map<string, readonly string[]>()

function trailTo(list: ListName, cursor: string): readonly string[] | undefined {
  const kept = (keptWithAddress() as Partial<Record<ListName, string[]>> | null)?.[list]
  return kept?.at(-1) === cursor ? kept : trails.get(cursor)
}

/** A route without the pages of its lists. */
export function firstPage(route: Route): Route {
  const names = lists.flatMap((list) => [`${list}_cursor`, `${list}_page`])
  return Object.fromEntries(Object.entries(route).filter(([name]) => !names.includes(name)))
}

export function usePages(route: Route, list: ListName = 'list'): Pages {
  const cursor = route[`${list}_cursor`]
  const asked = Number(route[`${list}_page`])
  const number = cursor === undefined ? 1 : Number.isInteger(asked) && asked > 1 ? asked : 2
  const trail = cursor === undefined ? [] : trailTo(list, cursor)

  function turn(to: readonly string[], page: number, isReplacing = false): void {
    const [start = ''] = to.slice(-1)
    if (start !== '') trails.set(start, to)
    const place = { [`${list}_cursor`]: start, [`${list}_page`]: start === '' ? '' : String(page) }
    go({ ...currentRoute(), ...place }, { isReplacing, state: { ...(keptWithAddress() as object | null), [list]: to } })
  }

  return {
    cursor,
    number,
    next: (start) => turn([...(trail ?? []), start], number + 1),
    previous: number > 1 && trail?.length === number - 1 ? () => turn(trail.slice(0, -1), number - 1) : undefined,
    first: (isReplacing) => turn([], 1, isReplacing),
  }
}

/** Leads to the first page when the service does not accept the cursor of the address. */
export function useValidCursor(pages: Pages, error: unknown): void {
  const isRefused = pages.cursor !== undefined && hasCode(error, 'validation_failed')
  useEffect(() => {
    if (isRefused) pages.first(true)
  }, [isRefused])
}

/** Its buttons are never `disabled`, which would take the focus away from somebody who pages with the keyboard. */
export function Pager({ pages, next }: { pages: Pages; next: string | null }) {
  if (pages.number === 1 && next === null) return null
  const button = (label: string, turn: (() => void) | undefined) => (
    <button type="button" class="quiet" aria-disabled={turn === undefined} onClick={turn}>
      {label}
    </button>
  )
  return (
    <nav class="actions" aria-label={words.pages}>
      {pages.number > 1 && button(words.firstPage, () => pages.first())}
      {button(words.previous, pages.previous)}
      <span role="status">{words.page(pages.number)}</span>
      {button(words.next, next === null ? undefined : () => pages.next(next))}
    </nav>
  )
}
