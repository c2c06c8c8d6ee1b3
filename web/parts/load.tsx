/** Data that has to be fetched before it can be shown. */
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { explain } from '../failures.ts'
import { texts } from '../texts/language.ts'

export interface Loaded<T> {
  value: T | undefined
  failure: string | undefined
  isLoading: boolean
  reload: () => void
  change: (value: T) => void
}

/** Fetches again whenever `key` changes, and drops the answer to an earlier key. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [value, setValue] = useState<T>()
  const [failure, setFailure] = useState<string>()
  const [isLoading, setIsLoading] = useState(true)
  const [round, setRound] = useState(0)
  useEffect(() => {
    const controller = new AbortController()
    setIsLoading(true)
    setFailure(undefined)
    load(controller.signal)
      .then(
        (loaded) => !controller.signal.aborted && setValue(() => loaded),
        (error: unknown) => !controller.signal.aborted && setFailure(explain(error)),
      )
      .finally(() => !controller.signal.aborted && setIsLoading(false))
    return () => controller.abort()
  }, [key, round])
  return { value, failure, isLoading, reload: () => setRound(round + 1), change: (next) => setValue(() => next) }
}

interface LoadedProps<T> {
  loaded: Loaded<T>
  children: (value: T) => ComponentChildren
}

/** Shows the value, the failure, or that it is loading. The old value stays visible while a new one is fetched. */
export function Show<T>({ loaded: { value, failure, isLoading, reload }, children }: LoadedProps<T>) {
  return (
    <div aria-busy={isLoading}>
      {failure !== undefined && (
        <div class="notice" role="alert">
          {failure}{' '}
          <button type="button" class="quiet" onClick={reload}>
            {texts.common.retry}
          </button>
        </div>
      )}
      {value !== undefined ? children(value) : failure === undefined && <p class="soft">{texts.common.loading}</p>}
    </div>
  )
}
