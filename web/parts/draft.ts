/**
 * What a person changed in a form about data that is stored. Only that is sent: the browser itself changes what a field
 * holds (line breaks, spaces around a link), and another tab may have saved other fields meanwhile.
 */
import { useLayoutEffect, useRef } from 'preact/hooks'

type Stored<Name extends string> = Readonly<Record<Name, string | null>>
type Field = HTMLInputElement | HTMLTextAreaElement

export interface Draft<Name extends string> {
  /** The fields that differ from what is stored; `null` for one that was emptied. */
  changes: () => Partial<Record<Name, string | null>>
  /** Shows what was stored in the fields that still hold what was sent. */
  settle: (sent: Partial<Record<Name, string | null>>, stored: Stored<Name>) => void
}

/**
 * Fills the fields with what is stored. When that changes, the fields that the person has not touched follow.
 *
 * @param stored in an object whose fields have the names of the form's fields
 */
export function useDraft<Name extends string>(
  form: { readonly current: HTMLFormElement | null },
  names: readonly Name[],
  stored: Stored<Name>,
): Draft<Name> {
  /** What each field showed for the stored value. */
  const shown = useRef<Partial<Record<Name, string>>>({})

  const show = (name: Name, value: string | null, isReplaced: (typed: string) => boolean) => {
    const field = form.current!.elements.namedItem(name) as Field
    const next = asShown(field, value ?? '')
    if (isReplaced(field.value)) field.value = next
    shown.current[name] = next
  }
  useLayoutEffect(
    () => {
      for (const name of names) {
        const before = shown.current[name]
        show(name, stored[name], (typed) => before === undefined || typed === before)
      }
    },
    names.map((name) => stored[name]),
  )

  return {
    changes() {
      const { elements } = form.current!
      const typed = names.map((name) => [name, (elements.namedItem(name) as Field).value] as const)
      const changed = typed.filter(([name, value]) => value !== shown.current[name])
      return Object.fromEntries(changed.map(([name, value]) => [name, value.trim() === '' ? null : value])) as Partial<
        Record<Name, string | null>
      >
    },
    settle(sent, now) {
      for (const name of names.filter((one) => one in sent)) {
        show(name, now[name], (typed) => (typed.trim() === '' ? null : typed) === sent[name])
      }
    },
  }
}

/** A field keeps no carriage returns, and one line keeps no line breaks. */
function asShown(field: Field, value: string): string {
  const copy = field.cloneNode() as Field
  copy.value = value
  return copy.value
}
