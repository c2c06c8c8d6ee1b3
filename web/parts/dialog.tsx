/** The browser's modal dialog: it keeps the focus inside and closes on Escape. */
import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef } from 'preact/hooks'

interface DialogProps {
  title: string
  onClose: () => void
  /** Whether only its own buttons close it: what it shows is not shown again. */
  isKeptOpen?: boolean
  children: ComponentChildren
}

/** Open as long as it is mounted. Gives the focus back to the element that had it before. */
export function Dialog({ title, onClose, isKeptOpen = false, children }: DialogProps) {
  const id = useId()
  const ref = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const dialog = ref.current!
    const opener = document.activeElement
    dialog.showModal()
    // The browser would choose the button that cancels, where no field comes before it.
    dialog.querySelector<HTMLElement>('input, select, textarea, [type=submit]')?.focus()
    return () => {
      dialog.close()
      // The browser does this only for a dialog that stays in the document.
      if (opener instanceof HTMLElement) opener.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => (isKeptOpen ? event.preventDefault() : onClose())}
      // The browser reports later that a dialog has closed. By then another one may be open, which must stay.
      onClose={(event) => event.currentTarget.isConnected && onClose()}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  )
}
