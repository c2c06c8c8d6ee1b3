import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { Dialog } from '../parts/dialog.tsx'
import { PasswordField } from '../parts/fields.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { refreshViews } from '../parts/views.ts'
import { texts } from '../texts/language.ts'

export function Deletion() {
  const { deletion, fields, common, account } = texts
  const [isAsking, setIsAsking] = useState(false)
  const form = useForm(['password'], async ({ password }) => {
    if (password === '') return { password: fields.passwordMissing }
    try {
      await client.deleteMe(password)
    } catch (error) {
      refreshViews()
      if (hasCode(error, 'wrong_password')) return { password: account.wrongPassword }
      if (hasCode(error, 'last_admin')) return { form: deletion.lastAdmin }
      throw error
    }
    return undefined
  })
  const close = () => setIsAsking(false)
  return (
    <>
      <h2>{deletion.title}</h2>
      <p class="soft">{deletion.hint}</p>
      <button type="button" class="danger" onClick={() => setIsAsking(true)}>
        {deletion.open}
      </button>
      {isAsking && (
        <Dialog title={deletion.title} onClose={close}>
          <p>{deletion.warning}</p>
          <form {...form.props}>
            <PasswordField
              label={common.password}
              name="password"
              autoComplete="current-password"
              error={form.errorOf('password')}
            />
            <Submit form={form} busy={deletion.busy} isDangerous onCancel={close}>
              {deletion.submit}
            </Submit>
          </form>
        </Dialog>
      )}
    </>
  )
}
