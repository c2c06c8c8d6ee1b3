/** The browser's own modal dialog: it keeps the focus inside, gives it back, and closes on Escape. */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { texts } from '../texts/language.ts'

interface DialogProps {
  title: string
  onClose: () => void
  children: ComponentChildren
}

/** Open for as long as it is there. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const id = useId()
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = ref.current!
    dialog.showModal()
    return () => dialog.close()
  }, [])
  return (
    <dialog ref={ref} aria-labelledby={id} onCancel={onClose} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  )
}

interface ConfirmationProps extends DialogProps {
  /** What the button that does it says. */
  action: string
  isDangerous?: boolean
  isBusy?: boolean
  onConfirm: () => void
}

/** Says what will happen, and asks whether it shall. */
export function Confirmation({ action, isDangerous, isBusy, onConfirm, children, ...dialog }: ConfirmationProps) {
  return (
    <Dialog {...dialog}>
      {children}
      <div class="actions">
        <button type="button" class="quiet" onClick={dialog.onClose}>
          {texts.common.cancel}
        </button>
        <button
          type="button"
          class={isDangerous ? 'danger' : 'primary'}
          aria-disabled={isBusy}
          onClick={() => !isBusy && onConfirm()}
        >
          {action}
        </button>
      </div>
    </Dialog>
  )
}
