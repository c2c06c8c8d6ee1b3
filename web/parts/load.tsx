/** Data that has to be fetched before it can be shown. */
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { explain, hasCode } from '../failures.ts'
import { leadToEnrolment } from '../navigation.ts'
import { texts } from '../texts/language.ts'
import { addView } from './views.ts'

export interface Loaded<T> {
  value: T | undefined
  /** What made the last fetch fail. */
  error: unknown
  isLoading: boolean
  reload: () => void
  change: (value: T) => void
}

/** Fetches again whenever `key` changes and after each act, and drops the answer to an earlier key. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [value, setValue] = useState<T>()
  const [error, setError] = useState<unknown>()
  const [isLoading, setIsLoading] = useState(true)
  const [round, setRound] = useState(0)
  const reload = () => setRound((count) => count + 1)
  useEffect(() => addView(reload), [])
  useEffect(() => {
    const controller = new AbortController()
    const fetchValue = async () => {
      try {
        const loaded = await load(controller.signal)
        if (controller.signal.aborted) return
        setValue(() => loaded)
        setError(undefined)
      } catch (failure) {
        if (controller.signal.aborted) return
        setError(failure)
        if (hasCode(failure, 'factor_enrolment_required')) leadToEnrolment()
      }
      setIsLoading(false)
    }
    setIsLoading(true)
    void fetchValue()
    return () => controller.abort()
  }, [key, round])
  return { value, error, isLoading, reload, change: (next) => setValue(() => next) }
}

interface LoadedProps<T> {
  loaded: Loaded<T>
  children: (value: T) => ComponentChildren
}

/** Shows the value, the failure, or that it is loading. The old value stays visible while a new one is fetched. */
export function Show<T>({ loaded: { value, error, isLoading, reload }, children }: LoadedProps<T>) {
  return (
    <div aria-busy={isLoading}>
      {error !== undefined && (
        <div class="notice" role="alert">
          {explain(error)}{' '}
          <button type="button" class="quiet" onClick={reload}>
            {texts.common.retry}
          </button>
        </div>
      )}
      {value !== undefined ? children(value) : error === undefined && <p class="soft">{texts.common.loading}</p>}
    </div>
  )
}
