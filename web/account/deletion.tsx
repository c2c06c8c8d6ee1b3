import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { complaintAbout, hasCode } from '../failures.ts'
import { leaveFor } from '../navigation.ts'
import { Dialog } from '../parts/dialog.tsx'
import { PasswordField } from '../parts/fields.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { refreshViews } from '../parts/views.ts'
import { texts } from '../texts/language.ts'
import { words } from './texts/words.ts'

/** @param hasFactor whether there is a passkey or an app. Only such an account can lack a password; no answer tells. */
export function Deletion({ hasFactor }: { hasFactor: boolean }) {
  const { deletion, fields, common, account } = texts
  const [isAsking, setIsAsking] = useState(false)
  const form = useForm(['password'], async ({ password }) => {
    try {
      await client.deleteMe(password === '' ? undefined : password)
    } catch (error) {
      refreshViews()
      if (hasCode(error, 'wrong_password') || complaintAbout(error, 'password') !== undefined) {
        return { password: password === '' ? fields.passwordMissing : account.wrongPassword }
      }
      if (hasCode(error, 'last_admin')) return { form: deletion.lastAdmin }
      throw error
    }
    return leaveFor('/sign-in?deleted')
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
          {hasFactor && <p class="soft">{words.deletion.without}</p>}
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
