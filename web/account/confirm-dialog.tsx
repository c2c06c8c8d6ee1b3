import type { ComponentChildren } from 'preact'
import { Dialog } from '../parts/dialog.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { refreshViews } from '../parts/views.ts'
import { texts } from '../texts/language.ts'

interface ConfirmDialogProps {
  title: string
  children: ComponentChildren
  submit: string
  isDangerous?: boolean
  act: () => Promise<unknown>
  onClose: () => void
}

/** Says what an act does before it is done. Closes when it is done, and shows why it was refused. */
export function ConfirmDialog({ title, children, submit, isDangerous = false, act, onClose }: ConfirmDialogProps) {
  const form = useForm([], async () => {
    try {
      await act()
    } finally {
      refreshViews()
    }
    onClose()
    return undefined
  })
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{children}</p>
      <form {...form.props}>
        <Submit form={form} busy={texts.common.loading} isDangerous={isDangerous} onCancel={onClose}>
          {submit}
        </Submit>
      </form>
    </Dialog>
  )
}
