/** Forms that submit once at a time and show each refusal beside its field. */
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { complaintAbout, explain } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { useOneAtATime } from './one-at-a-time.ts'
import { Progress } from './progress.tsx'

/** Why a submission was refused: by field, or under `form` when no field is to blame. */
export type Refusals = Partial<Record<string, ComponentChildren>>

interface FormState {
  refusals: Refusals
  isBusy: boolean
  errorOf: (field: string) => string | undefined
  props: {
    onSubmit: (event: SubmitEvent) => void
    onInput: (event: Event) => void
    noValidate: true
    ref: { current: HTMLFormElement | null }
  }
}

/**
 * @param names the fields, in their order on the page
 * @param send submits the values; returns the refusals, or throws the failed call
 */
export function useForm<Name extends string>(
  names: readonly Name[],
  send: (values: Record<Name, string>) => Promise<Refusals | undefined>,
): FormState {
  const ref = useRef<HTMLFormElement | null>(null)
  const [refusals, setRefusals] = useState<Refusals>({})
  /** Counts the refused submissions. */
  const [round, setRound] = useState(0)
  const { isBusy, run } = useOneAtATime()

  // Focuses the first wrong field; a screen reader then reads its error, too. A layout effect runs before the paint, so
  // nobody can type into the old place in between.
  useLayoutEffect(() => {
    const first = names.find((name) => refusals[name])
    const input = first && ref.current?.elements.namedItem(first)
    if (input instanceof HTMLInputElement || input instanceof HTMLTextAreaElement) {
      input.focus()
      input.select()
    }
  }, [round])

  async function submit(form: HTMLFormElement): Promise<void> {
    const data = new FormData(form)
    const textOf = (name: string) => {
      const value = data.get(name)
      return typeof value === 'string' ? value : ''
    }
    const values = Object.fromEntries(names.map((name) => [name, textOf(name)]))
    setRefusals({})
    try {
      setRefusals((await send(values as Record<Name, string>)) ?? {})
    } catch (error) {
      setRefusals(refusalsFrom(error, names))
    }
    setRound((count) => count + 1)
  }

  return {
    refusals,
    isBusy,
    errorOf: (field) => new Map(Object.entries(refusals)).get(field) as string | undefined,
    props: {
      ref,
      noValidate: true,
      onSubmit(event) {
        event.preventDefault()
        const form = event.currentTarget as HTMLFormElement
        void run(() => submit(form))
      },
      // What was said about a value is no longer true of another one.
      onInput({ target }) {
        const { name } = target as HTMLInputElement
        setRefusals((before) => Object.fromEntries(Object.entries(before).filter(([field]) => field !== name)))
      },
    },
  }
}

/** For a form that replaces another: browsers give `autofocus` to the first one of a page only. */
export function focusField({ props }: FormState, name: string): void {
  const field = props.ref.current?.elements.namedItem(name)
  if (field instanceof HTMLInputElement) field.focus()
}

function refusalsFrom(error: unknown, names: readonly string[]): Refusals {
  const complaints = names.flatMap((name) => {
    const complaint = complaintAbout(error, name)
    return complaint ? [[name, complaint] as const] : []
  })
  return complaints.length > 0 ? Object.fromEntries(complaints) : { form: explain(error) }
}

interface SubmitProps {
  form: FormState
  busy: string
  isDangerous?: boolean
  /** In a dialog: closes it. */
  onCancel?: () => void
  children: ComponentChildren
}

/** Not `disabled` while busy: that would move the focus of a keyboard user to the top of the page. */
export function Submit({ form, busy, isDangerous, onCancel, children }: SubmitProps) {
  const submit = (
    <button type="submit" class={isDangerous ? 'danger' : 'primary'} aria-disabled={form.isBusy}>
      {form.isBusy ? busy : children}
    </button>
  )
  return (
    <>
      {onCancel ? (
        <div class="choice">
          <button type="button" class="quiet" onClick={onCancel}>
            {texts.common.cancel}
          </button>
          {submit}
        </div>
      ) : (
        submit
      )}
      <Progress busy={form.isBusy && busy} problem={form.refusals['form']} />
    </>
  )
}
